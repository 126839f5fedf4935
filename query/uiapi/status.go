package uiapi

// Status is how the service is; the parts of it are known elsewhere.
type Status struct{}
