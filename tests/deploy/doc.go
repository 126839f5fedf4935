// Package deploy holds what stands in the folder deploy to other people's
// programs: Kubernetes' types, kustomize, Helm, Istio's settings, promtool. It
// is a module of its own so that what they need stays out of the product's.
package deploy
