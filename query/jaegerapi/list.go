package jaegerapi

// Routes lists the routes of the HTTP API, each "METHOD path", below the base
// path.
func Routes() []string {
	var list []string
	for _, r := range new(api).routes() {
		list = append(list, r.method+" "+r.pattern)
	}
	return list
}
