package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// httpCommand sends one request and writes status, headers and body to stdout:
//
//	http [-ca F] [-cert F -key F] [-h2] [-H 'K: V'] METHOD URL [body file]
//
// With ! no answer must come.
func httpCommand(ts *testscript.TestScript, neg bool, args []string) {
	fs := flag.NewFlagSet("http", flag.ContinueOnError)
	ca, cert, key := fs.String("ca", "", ""), fs.String("cert", "", ""), fs.String("key", "", "")
	h2, header := fs.Bool("h2", false, ""), fs.String("H", "", "")
	ts.Check(fs.Parse(args))
	transport := &http.Transport{TLSClientConfig: &tls.Config{}, Protocols: new(http.Protocols)}
	defer transport.CloseIdleConnections()
	transport.Protocols.SetHTTP1(!*h2)
	transport.Protocols.SetHTTP2(*h2)
	transport.Protocols.SetUnencryptedHTTP2(*h2)
	if *ca != "" {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(ts.ReadFile(*ca)))
		transport.TLSClientConfig.RootCAs = pool
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(ts.MkAbs(*cert), ts.MkAbs(*key))
		ts.Check(err)
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	var body io.Reader
	if fs.NArg() > 2 {
		body = strings.NewReader(ts.ReadFile(fs.Arg(2)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, fs.Arg(0), fs.Arg(1), body)
	ts.Check(err)
	if k, v, ok := strings.Cut(*header, ": "); ok {
		r.Header.Set(k, v)
	}
	resp, err := transport.RoundTrip(r)
	if neg {
		if err == nil {
			ts.Fatalf("got %s, want no answer", resp.Status)
		}
		return
	}
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s %s\n", resp.Proto, resp.Status)
	if resp.Close {
		resp.Header.Set("Connection", "close") // the transport keeps it from us
	}
	keys := make([]string, 0, len(resp.Header))
	for k := range resp.Header {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(ts.Stdout(), "%s: %s\n", k, strings.Join(resp.Header[k], ", "))
	}
	fmt.Fprintf(ts.Stdout(), "\n%s\n", text)
}

// inUse occupies a free port until the script ends and names it in $TAKEN.
func inUse(ts *testscript.TestScript, _ bool, _ []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv("TAKEN", ln.Addr().String())
}

// certs makes an authority and certificates of it for 127.0.0.1: ca.pem,
// server.pem, server.key, client.pem, client.key; and other-ca.pem.
func certs(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(makeCerts(ts.MkAbs(".")))
}

func makeCerts(dir string) error {
	ca, caKey, err := makeCert(dir, "ca", nil, nil)
	if err != nil {
		return err
	}
	if _, _, err := makeCert(dir, "other-ca", nil, nil); err != nil {
		return err
	}
	for _, name := range []string{"server", "client"} {
		if _, _, err := makeCert(dir, name, ca, caKey); err != nil {
			return err
		}
	}
	return nil
}

// makeCert writes name.pem and name.key, signed by the authority or by itself.
func makeCert(dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	cert := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        ca == nil, BasicConstraintsValid: true,
	}
	if ca == nil {
		ca, caKey = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	write := func(file, kind string, der []byte) error {
		return os.WriteFile(dir+"/"+file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	if err := write(name+".pem", "CERTIFICATE", der); err != nil {
		return nil, nil, err
	}
	return cert, key, write(name+".key", "PRIVATE KEY", keyDER)
}
