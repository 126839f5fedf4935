"""Sends a trace with py_zipkin:

    python3 pyzipkin.py HOST PORT TRACE_ID SECONDS V1_JSON|V2_JSON|V2_PROTO3

Two services of one process; the trace begins SECONDS after the epoch. Prints
what became of the posts.
"""

import json
import sys
import time

from py_zipkin import Encoding, Kind
from py_zipkin.transport import SimpleHTTPTransport
from py_zipkin.util import ZipkinAttrs
from py_zipkin.zipkin import zipkin_client_span, zipkin_server_span, zipkin_span

host, port, trace_id, base, encoding = sys.argv[1:]
base, encoding = float(base), Encoding[encoding]

clock = base
time.time = lambda: clock  # the library's only way to know the time of a root span
statuses, failures = [], []


class Transport(SimpleHTTPTransport):
    """Takes nothing but 202 for success, and is asked whether it saw it."""

    def send(self, payload):
        try:
            super().send(payload)
            statuses.append(202)
        except Exception as err:
            failures.append(repr(err))
            raise


transport = Transport(host, int(port))
attrs = ZipkinAttrs(trace_id=trace_id, span_id="c0ffee0000000001", parent_span_id=None, flags="0", is_sampled=True)

with zipkin_client_span(
    service_name="Frontend", span_name="POST /Bücher/{Id}", zipkin_attrs=attrs, report_root_timestamp=True,
    transport_handler=transport, host="192.0.2.1", port=8080, encoding=encoding,
    binary_annotations={"http.status_code": "503", "Mixed.Case": "VaLuE"},
) as client:
    client.add_sa_binary_annotation(port=9090, service_name="Kasse", host="2001:db8::2")
    client.add_annotation("Gesendet ✓", base + 0.125)
    clock = base + 1

clock = base + 0.25
with zipkin_server_span(
    service_name="Kasse", span_name="Bücher annehmen", zipkin_attrs=attrs,
    transport_handler=transport, host="2001:db8::2", port=9090, encoding=encoding, binary_annotations={"empty": ""},
):
    try:
        with zipkin_span(
            service_name="Kasse", span_name="Lager prüfen", kind=Kind.LOCAL, timestamp=base + 0.375, duration=0.25,
        ) as local:
            local.add_annotation("leer", base + 0.5)
            raise ValueError("Lager: 空 😀")
    except ValueError:
        pass
    clock = base + 0.75

print(json.dumps({"statuses": statuses, "failures": failures}))
