// Package browsertest holds the tests of browser sessions in a real Chromium: an
// application behind the gateway double and the real runner, on https, and the
// provider's form that a person clicks. It must not know how a session is kept.
package browsertest
