package jaegerapi

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage"
)

func (a *api) services(w *response, r *http.Request) error {
	names, err := a.svc.Services(r.Context())
	if err != nil {
		return err
	}
	return w.list(len(names), func(b []byte, i int) []byte { return appendString(b, names[i]) })
}

// operationNames lists names only, each once.
func (a *api) operationNames(w *response, r *http.Request) error {
	service, err := pathParam(r, "service")
	if err != nil {
		return err
	}
	ops, err := a.svc.Operations(r.Context(), service)
	if err != nil {
		return err
	}
	names := operationNames(ops)
	return w.list(len(names), func(b []byte, i int) []byte { return appendString(b, names[i]) })
}

// operationNames are the names of sorted operations, each once.
func operationNames(ops []storage.Operation) []string {
	names := make([]string, 0, len(ops))
	for i, op := range ops {
		if i == 0 || op.Name != ops[i-1].Name {
			names = append(names, op.Name)
		}
	}
	return names
}

func (a *api) operations(w *response, r *http.Request) error {
	v := r.URL.Query()
	service := v.Get("service")
	if service == "" {
		return badRequest("parameter 'service' is required")
	}
	ops, err := a.svc.Operations(r.Context(), service)
	if err != nil {
		return err
	}
	ops = ofKind(ops, v.Get("spanKind"))
	return w.list(len(ops), func(b []byte, i int) []byte {
		b = appendString(append(b, `{"name":`...), ops[i].Name)
		b = append(b, `,"spanKind":"`...)
		return append(append(b, ops[i].Kind.String()...), `"}`...)
	})
}

// ofKind are the operations of a kind by its name; all when there is none,
// nothing when there is no such kind.
func ofKind(ops []storage.Operation, kind string) []storage.Operation {
	if kind == "" {
		return ops
	}
	kept := make([]storage.Operation, 0, len(ops))
	for _, op := range ops {
		if strings.EqualFold(op.Kind.String(), kind) {
			kept = append(kept, op)
		}
	}
	return kept
}

// traces searches, or gets several traces by id.
func (a *api) traces(w *response, r *http.Request) error {
	s, err := parseSearch(r.URL.Query(), a.now())
	if err != nil {
		return err
	}
	svc := a.view(s.raw)
	missing := make(map[spandrel.TraceID]bool, len(s.ids))
	for _, id := range s.ids {
		missing[id] = true
	}
	found := svc.Search(r.Context(), s.query)
	if len(s.ids) > 0 {
		found = svc.Traces(r.Context(), s.ids)
	}
	w.open()
	w.buf = append(w.buf, '[')
	enc := encoder{w: w}
	n := 0
	for t, err := range found {
		if err != nil {
			return w.breakOff(n, s.query.Limit, err)
		}
		if n++; n > 1 {
			w.buf = append(w.buf, ',')
		}
		if err := enc.trace(t); err != nil {
			return err
		}
		delete(missing, t.ID)
	}
	w.buf = append(w.buf, ']')
	if len(s.ids) == 0 {
		return w.close(n, s.query.Limit)
	}
	var errs []apiError
	for _, id := range s.ids {
		if missing[id] {
			errs = append(errs, apiError{msg: "trace not found", traceID: id.String()})
		}
	}
	return w.close(n, 0, errs...)
}

// breakOff ends a list of n traces that an error cut short. What has been sent
// cannot be taken back, so the error comes behind it.
func (w *response) breakOff(n, limit int, err error) error {
	if f := asFailure(err); w.started && f.status != statusClientGone {
		w.buf = append(w.buf, ']')
		_ = w.close(n, limit, apiError{code: f.status, msg: f.msg}) // the error matters more
	}
	return err
}

// view is the service, or one that leaves traces as they are stored.
func (a *api) view(raw bool) *query.Service {
	if raw {
		return a.svc.Raw()
	}
	return a.svc
}

// trace gives one trace. Its start and end say where it may lie, which we need
// not be told, and Grafana gives them in the wrong unit.
func (a *api) trace(w *response, r *http.Request) error {
	id, raw, err := traceParams(r)
	if err != nil {
		return err
	}
	for t, err := range a.view(raw).Traces(r.Context(), []spandrel.TraceID{id}) {
		if err != nil {
			return err
		}
		w.open()
		w.buf = append(w.buf, '[')
		enc := encoder{w: w}
		if err := enc.trace(t); err != nil {
			return err
		}
		w.buf = append(w.buf, ']')
		return w.close(1, 0)
	}
	return query.ErrNotFound
}

func traceParams(r *http.Request) (id spandrel.TraceID, raw bool, err error) {
	if id, err = parseTraceID(pathSegment(r)); err != nil {
		return id, false, badRequest(err.Error())
	}
	v := r.URL.Query()
	for _, name := range []string{"start", "end"} {
		if _, _, err = parseInt(v, name); err != nil {
			return id, false, err
		}
	}
	raw, err = parseBool(v, "raw")
	return id, raw, err
}

// pathSegment is the last part of the path.
func pathSegment(r *http.Request) string {
	path := strings.TrimRight(r.URL.Path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// archive answers as a Jaeger without a second store for archived traces.
func (a *api) archive(_ *response, r *http.Request) error {
	if _, _, err := traceParams(r); err != nil {
		return err
	}
	return &failure{http.StatusInternalServerError, "archive span storage was not configured", nil}
}

func (a *api) dependencies(w *response, r *http.Request) error {
	v := r.URL.Query()
	from, to, err := callsRange(v, a.now())
	if err != nil {
		return err
	}
	deps, err := a.svc.Dependencies(r.Context(), from, to)
	if err != nil {
		return err
	}
	deps = touching(deps, v)
	return w.list(len(deps), func(b []byte, i int) []byte {
		b = appendString(append(b, `{"parent":`...), deps[i].Parent)
		b = appendString(append(b, `,"child":`...), deps[i].Child)
		b = append(b, `,"callCount":`...)
		return append(strconv.AppendUint(b, deps[i].Calls, 10), '}')
	})
}

// touching are the calls from or to the service that v asks for, if it does.
func touching(deps []spandrel.Dependency, v url.Values) []spandrel.Dependency {
	service := v.Get("service")
	if service == "" {
		return deps
	}
	kept := make([]spandrel.Dependency, 0, len(deps))
	for _, d := range deps {
		if d.Parent == service || d.Child == service {
			kept = append(kept, d)
		}
	}
	return kept
}

// notOffered answers for what Jaeger makes up.
func (a *api) notOffered(_ *response, r *http.Request) error {
	return &failure{http.StatusNotImplemented, pathSegment(r) + " is sample data in Jaeger and not offered here", nil}
}

var errMetricsDisabled = &failure{http.StatusNotImplemented, "metrics querying is currently disabled", nil}

func (a *api) minStep(*response, *http.Request) error { return errMetricsDisabled }

// metrics checks its parameters in Jaeger's order, then says that it has none.
func (a *api) metrics(_ *response, r *http.Request) error {
	v := r.URL.Query()
	if pathSegment(r) == "latencies" {
		if _, err := strconv.ParseFloat(v.Get("quantile"), 64); err != nil {
			return badParam("quantile", err)
		}
	}
	if len(v["service"]) == 0 {
		return badRequest("unable to parse param 'service': please provide at least one service name")
	}
	if _, err := parseBool(v, "groupByOperation"); err != nil {
		return err
	}
	for _, kind := range v["spanKind"] {
		if kind != "unspecified" && (kind == "" || spandrel.ParseKind(kind).String() != kind) {
			return badRequest("unable to parse param 'spanKind': unsupported span kind: '" + kind + "'")
		}
	}
	for _, name := range []string{"endTs", "lookback", "step", "ratePer"} {
		if _, _, err := parseInt(v, name); err != nil {
			return err
		}
	}
	return errMetricsDisabled
}
