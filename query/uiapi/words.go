package uiapi

import (
	"net/http"

	"github.com/spandrel/spandrel/query"
)

const (
	defaultWords = 50
	maxWords     = 500
)

func (a *api) wordQuery(r *http.Request) (q query.WordQuery, err error) {
	v := r.URL.Query()
	q.Service, q.Prefix = v.Get("service"), v.Get("prefix")
	if q.From, q.To, err = a.rangeOf(v, rangeLookback); err != nil {
		return q, err
	}
	q.Limit, err = number(v, "limit", defaultWords, maxWords)
	return q, err
}

// tagKeys lists the keys of tags.
func (a *api) tagKeys(r *http.Request) (answer, error) {
	q, err := a.wordQuery(r)
	if err != nil {
		return answer{}, err
	}
	words, err := a.svc.TagKeys(r.Context(), q)
	if err != nil {
		return answer{}, err
	}
	type key struct {
		Key   string `json:"key"`
		Spans int    `json:"spans"`
	}
	out := struct {
		Keys []key          `json:"keys"`
		More bool           `json:"more"`
		Scan query.ScanInfo `json:"scan"`
	}{[]key{}, words.More, words.Scan}
	for _, w := range words.Words {
		out.Keys = append(out.Keys, key{w.Text, w.Spans})
	}
	return answer{json: out}, nil
}

// tagValues lists the values of a tag.
func (a *api) tagValues(r *http.Request) (answer, error) {
	q, err := a.wordQuery(r)
	if err != nil {
		return answer{}, err
	}
	key := r.URL.Query().Get("key")
	if key == "" {
		return answer{}, badParam("key", "is required")
	}
	words, err := a.svc.TagValues(r.Context(), key, q)
	if err != nil {
		return answer{}, err
	}
	type value struct {
		Value string `json:"value"`
		Spans int    `json:"spans"`
	}
	out := struct {
		Values []value        `json:"values"`
		More   bool           `json:"more"`
		Scan   query.ScanInfo `json:"scan"`
	}{[]value{}, words.More, words.Scan}
	for _, w := range words.Words {
		out.Values = append(out.Values, value{w.Text, w.Spans})
	}
	return answer{json: out}, nil
}
