// Package ci holds the end-to-end suite: it configures routes through the
// Admin API, talks HTTP and reads what an echo upstream was sent. It must not
// know the internals of the gateway, of the runner or of the plugin.
package ci
