package runner

import (
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// judging is a request on its way through the plugins of its configuration.
type judging struct {
	view    a6.RequestView
	request request
	writer  responseWriter
	rewrite a6.Rewrite
	stop    a6.Stop

	conf    *conf
	next    int  // the plugin that is next
	stopped bool // the answer is stop
}

// begin prepares for the plugins of a configuration.
func (x *exchange) begin(conf *conf) {
	x.conf, x.next, x.stopped = conf, 0, conf.denies
	if conf.denies {
		x.server.counters.denied.Add(1)
		x.stop = denied()
	}
	x.request.header.names.forget() // of an exchange before that was refused
	x.request.begin(&x.view)
	x.writer.begin()
}

// judged reports whether the answer is there.
func (x *exchange) judged() bool { return x.stopped || x.next == len(x.conf.steps) }

// runNow runs plugins as long as they decide at once, and reports whether that
// was all of them.
func (x *exchange) runNow() bool {
	for !x.judged() {
		step := &x.conf.steps[x.next]
		if step.plugin.now == nil {
			return false
		}
		done, ok := x.filterNow(step)
		if !done {
			return false
		}
		x.settle(step, ok)
	}
	return true
}

// run runs the plugins that are left.
func (x *exchange) run() {
	for !x.judged() {
		step := &x.conf.steps[x.next]
		x.settle(step, x.filter(step))
	}
}

// settle notes how a plugin left the request.
func (x *exchange) settle(step *step, ok bool) {
	count := &step.plugin.tally[x.stripe]
	switch {
	case !ok:
		count.failed.Add(1)
		x.stop, x.stopped = denied(), true
	case x.writer.written():
		count.stopped.Add(1)
		x.writer.stop(&x.stop)
		x.stopped = true
	default:
		count.passed.Add(1)
		x.next++
	}
}

// verdict answers.
func (x *exchange) verdict() {
	a := a6.Answer{ID: x.view.ID}
	if x.stopped {
		a.Stop = &x.stop
	} else {
		x.request.header.names.keep()
		if x.request.edits(&x.rewrite) {
			a.Rewrite = &x.rewrite
		}
	}
	x.request.end()
	x.conf = nil
	x.reply(a6.HTTPReqCall, x.encoder.Encode(a))
}

// filter runs one plugin and reports whether it came to an end.
func (x *exchange) filter(step *step) (ok bool) {
	defer x.caught(step, &ok)
	step.plugin.RequestFilter(step.conf, &x.writer, &x.request)
	return true
}

// filterNow runs one plugin that may decline: then it is not done. One that
// panicked is done, and did not come to an end.
func (x *exchange) filterNow(step *step) (done, ok bool) {
	done = true
	defer x.caught(step, &ok)
	done = step.plugin.now.FilterNow(step.conf, &x.writer, &x.request)
	return done, true
}

// caught ends a plugin's panic.
func (x *exchange) caught(step *step, ok *bool) {
	if caught := recover(); caught != nil {
		x.server.panicked(step.plugin.Name(), caught)
		*ok = false
	}
}
