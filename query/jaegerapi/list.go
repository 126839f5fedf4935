package jaegerapi

// Routes lists the routes of the HTTP API, each "METHOD path", below the base
// path.
func Routes() []string {
	routes := new(api).routes()
	list := make([]string, len(routes))
	for i, r := range routes {
		list[i] = r.method + " " + r.pattern
	}
	return list
}
