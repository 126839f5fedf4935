package uiapi

// fixedStatus is a service at rest.
func fixedStatus() Status {
	return Status{
		Version: "v1", Revision: "abc", Started: 1e18, Now: 1e18 + 5e9, Ready: true,
		Listeners: []Listener{{Name: "zipkin collector", Address: "127.0.0.1:9411", URL: "http://127.0.0.1:9411", Open: true}, {Name: "metrics"}},
		Ingest: Ingest{
			Received: 3, Accepted: 1, Rejected: 1, Failed: 1,
			Services:    []ServiceIngest{{"reviews.default", "zipkin_json_v2", 1}},
			Rejections:  []SpansFor{{"zipkin_json_v2", "no_id", 1}},
			Failures:    []SpansFor{{"zipkin_json_v2", "overloaded", 1}},
			Requests:    []RequestsFor{{Reason: "no_route", Requests: 2}},
			Misdirected: []RequestsFor{{"no_route", "/zipkin", 2}},
		},
		Store: Store{Kind: "badger", Dir: "/tmp/x", Bytes: 10, MaxBytes: 100, MaxAgeSeconds: 3600, Oldest: 1e18, Newest: 1e18 + 1000, Spans: 1, Services: 1,
			Partitions: []Partition{{Name: "p-1", Born: 1e18, Bytes: 9, Spans: 1, Segments: 1, Oldest: 1e18, Newest: 1e18 + 1000}}},
	}
}
