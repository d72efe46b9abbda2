// Package docs holds the documents, and tests that run what they show. It knows
// what a reader types; it must not be imported.
package docs
