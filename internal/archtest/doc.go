// Package archtest holds who may import whom. It knows the names of packages
// and must not be imported.
package archtest
