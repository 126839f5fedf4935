package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
)

// authSettings say who may ask for traces, over HTTP and gRPC alike. Secrets
// come from files or the environment; a flag would show them to whoever lists
// processes. Without any of them everybody may ask.
type authSettings struct {
	BasicFile, TokenFile string // a name:password, a token a line
	Basic, Token         string // the same text, from the environment
}

// Environment variables that hold secrets; there are no flags for them.
const (
	basicVariable = "QUERY_AUTH_BASIC"
	tokenVariable = "QUERY_AUTH_TOKEN"
)

// authVariables is the prefix of all variables of this kind. One that is not
// known would leave open what was to be closed, so it ends the start.
const authVariables = "QUERY_AUTH_"

// load takes the secrets of the environment, each "NAME=value".
func (a *authSettings) load(environ []string) error {
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, authVariables) && value == "" {
			return fmt.Errorf("%s is empty: nobody could ask; leave it out to let everybody ask", name)
		}
		switch name {
		case basicVariable:
			a.Basic = value
		case tokenVariable:
			a.Token = value
		case "QUERY_AUTH_BASIC_FILE", "QUERY_AUTH_TOKEN_FILE":
		default:
			if strings.HasPrefix(name, authVariables) {
				return fmt.Errorf("%s is nothing that closes the query API: want %s, %s or either with _FILE", name, basicVariable, tokenVariable)
			}
		}
	}
	return nil
}

// on reports whether any secret was set up, be it an unusable one.
func (a *authSettings) on() bool { return *a != authSettings{} }

// digest is what is kept of a secret: of one length, and nothing to read.
type digest [sha256.Size]byte

// secrets are the digests of the values of Authorization that let in.
type secrets struct {
	basic, bearer []digest
}

// read reads all that lets in. Each source that is set up must hold something.
func (a *authSettings) read() (*secrets, error) {
	s := &secrets{}
	sources := []struct {
		name, text string
		file       bool
		into       *[]digest
		encode     func(string) (string, error)
	}{
		{basicVariable, a.Basic, false, &s.basic, asBasic},
		{tokenVariable, a.Token, false, &s.bearer, asToken},
		{"--query.auth.basic-file", a.BasicFile, true, &s.basic, asBasic},
		{"--query.auth.token-file", a.TokenFile, true, &s.bearer, asToken},
	}
	for _, source := range sources {
		if source.text == "" {
			continue
		}
		text := []byte(source.text)
		if source.file {
			var err error
			if text, err = os.ReadFile(source.text); err != nil {
				return nil, fmt.Errorf("%s: %w", source.name, err)
			}
		}
		before := len(*source.into)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			value, err := source.encode(line)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", source.name, err)
			}
			*source.into = append(*source.into, sha256.Sum256([]byte(value)))
		}
		if len(*source.into) == before {
			return nil, fmt.Errorf("%s holds nothing that lets anybody in", source.name)
		}
	}
	return s, nil
}

// asBasic is name:password as a client sends it. Errors show no part of it.
func asBasic(line string) (string, error) {
	name, password, ok := strings.Cut(line, ":")
	if !ok || name == "" || password == "" {
		return "", errors.New("want name:password, one a line")
	}
	return base64.StdEncoding.EncodeToString([]byte(line)), nil
}

func asToken(line string) (string, error) {
	if strings.ContainsAny(line, " \t") {
		return "", errors.New("want a token without spaces, one a line")
	}
	return line, nil
}

// guard lets requests through that carry a secret.
type guard struct {
	settings authSettings
	log      *slog.Logger
	refused  *prometheus.CounterVec

	mu      sync.Mutex // guards what follows
	secrets *secrets
	stamp   string
	checked time.Time
}

// authReload is how often changed files are taken up.
const authReload = time.Minute

// newGuard reads the secrets; nil, and no error, where everybody may ask.
func newGuard(a authSettings, log *slog.Logger, r prometheus.Registerer) (*guard, error) {
	if !a.on() {
		return nil, nil
	}
	s, err := a.read()
	if err != nil {
		return nil, err
	}
	g := &guard{settings: a, log: log, secrets: s, stamp: stampOf(a.BasicFile, a.TokenFile), checked: time.Now(),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spandrel_query_unauthorized_total",
			Help: "Requests for traces without a name, password or token that lets in.",
		}, []string{"transport"})}
	for _, transport := range []string{"http", "grpc"} {
		g.refused.WithLabelValues(transport)
	}
	return g, r.Register(g.refused)
}

// current are the secrets as they are now. Files that cannot be used any more
// are logged, and what they last said stays.
func (g *guard) current(now time.Time) *secrets {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.checked) < authReload {
		return g.secrets
	}
	g.checked = now
	stamp := stampOf(g.settings.BasicFile, g.settings.TokenFile)
	if stamp == g.stamp {
		return g.secrets
	}
	s, err := g.settings.read()
	if err != nil {
		g.log.Error("changed secrets of the query API cannot be used, the earlier ones stay", "err", err)
		return g.secrets
	}
	g.log.Info("secrets of the query API reloaded")
	g.secrets, g.stamp = s, stamp
	return s
}

// lets reports whether the one value of Authorization lets in. The time it
// takes does not depend on how much of a secret was guessed.
func (g *guard) lets(values []string) bool {
	if len(values) != 1 {
		return false
	}
	scheme, given, _ := strings.Cut(values[0], " ")
	s := g.current(time.Now())
	var among []digest
	switch strings.ToLower(scheme) {
	case "basic":
		among = s.basic
	case "bearer":
		among = s.bearer
	}
	have, found := sha256.Sum256([]byte(strings.TrimSpace(given))), 0
	for _, want := range among {
		found |= subtle.ConstantTimeCompare(have[:], want[:])
	}
	return found == 1
}

// http lets requests through to next or answers 401 as Jaeger's API would.
func (g *guard) http(next http.Handler) http.Handler {
	if g == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.lets(r.Header.Values("Authorization")) {
			next.ServeHTTP(w, r)
			return
		}
		g.refused.WithLabelValues("http").Inc()
		s := g.current(time.Now())
		if len(s.basic) > 0 {
			w.Header().Add("WWW-Authenticate", `Basic realm="Spandrel", charset="UTF-8"`)
		}
		if len(s.bearer) > 0 {
			w.Header().Add("WWW-Authenticate", `Bearer realm="Spandrel"`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintln(w, `{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":401,"msg":"a name and password or a token is needed"}]}`)
	})
}

// grpc are the options of a gRPC server that lets such calls through only.
func (g *guard) grpc() []grpc.ServerOption {
	if g == nil {
		return nil
	}
	check := func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		if g.lets(md.Get("authorization")) {
			return nil
		}
		g.refused.WithLabelValues("grpc").Inc()
		return grpcstatus.Error(codes.Unauthenticated, "a name and password or a token is needed")
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := check(ctx); err != nil {
				return nil, err
			}
			return next(ctx, r)
		}),
		grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := check(s.Context()); err != nil {
				return err
			}
			return next(srv, s)
		}),
	}
}
