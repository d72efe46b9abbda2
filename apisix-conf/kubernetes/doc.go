// Package kubernetes holds what the runner needs beside the official Helm chart
// of APISIX. It is a module of its own, since only its tests need Kubernetes'
// types and Helm.
package kubernetes
