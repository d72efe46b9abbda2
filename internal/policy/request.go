package policy

// Request is what a decision may look at: one request as APISIX shows it. It
// is read by one goroutine, and only until the judgement has ended.
type Request interface {
	// Method is the HTTP method, in capitals.
	Method() string
	// Path is the decoded path.
	Path() string
	// IP is the client's address, "" where it is not known.
	IP() string
	// HeadersShown is the number of header entries APISIX showed, repeats
	// included, whatever other plugins changed since; it shows 100 at most and
	// says nothing about the rest.
	HeadersShown() int
	// NumHeader is the number of header entries there are now, repeats included.
	NumHeader() int
	// HeaderName is the name of entry i, in any letter case. It stands only
	// until the judgement has ended, and is not changed.
	HeaderName(i int) []byte
	// HeaderValue is the one value of entry i.
	HeaderValue(i int) string
	// Args are the decoded values of one query argument, in order.
	Args(name string) []string
	// Query is all arguments, decoded. It is not changed.
	Query() map[string][]string
}
