package uiapi

// fixedStatus is a service at rest.
func fixedStatus() Status { return Status{} }
