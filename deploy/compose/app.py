"""The application of the example, and its visitor.

    app.py serve PORT    answers /, /slow (0.3 to 0.9 s) and /error (500)
    app.py visit URL     asks for one of them a few times a second

It makes no spans; the Envoys before it do.
"""

import http.server
import random
import sys
import time
import urllib.error
import urllib.request


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, text = 200, "hello\n"
        if self.path == "/slow":
            time.sleep(random.uniform(0.3, 0.9))
        elif self.path == "/error":
            status, text = 500, "this was asked for\n"
        elif self.path != "/":
            status, text = 404, "there is /, /slow and /error\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


def visit(url):
    while True:
        path = random.choices(["/", "/slow", "/error", "/nowhere"], [80, 10, 5, 5])[0]
        try:
            urllib.request.urlopen(url + path, timeout=5).read()
        except urllib.error.HTTPError:
            pass  # some are meant to fail
        except OSError as e:
            print("visitor:", e)
            time.sleep(1)
        time.sleep(random.uniform(0.1, 0.5))


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "serve":
        http.server.ThreadingHTTPServer(("", int(sys.argv[2])), App).serve_forever()
    elif len(sys.argv) == 3 and sys.argv[1] == "visit":
        visit(sys.argv[2])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
