package telemetry

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// What a LogQueue holds at most while its output does not take it.
const (
	maxQueuedLines = 4096
	maxQueuedBytes = 4 << 20
)

// LogQueue stands between a logger and an output that may block or fail, such
// as a standard error that nobody reads. Logging never waits for the output:
// what there is no room for is dropped and counted, and a line says so when the
// output takes lines again.
type LogQueue struct {
	out     io.Writer
	handler func(io.Writer) slog.Handler

	mu     sync.Mutex
	lines  [][]byte
	bytes  int
	closed bool
	lost   uint64 // since it was last said

	dropped atomic.Uint64
	wake    chan struct{}
	done    chan struct{}
}

// NewLogQueue starts a queue in front of out. The handler formats the lines.
func NewLogQueue(out io.Writer, handler func(io.Writer) slog.Handler) *LogQueue {
	q := &LogQueue{out: out, handler: handler, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.drain()
	return q
}

// Logger is a logger that writes into the queue.
func (q *LogQueue) Logger() *slog.Logger { return slog.New(q.handler(q)) }

// Dropped is how many lines were lost so far.
func (q *LogQueue) Dropped() uint64 { return q.dropped.Load() }

// Write implements io.Writer: one line, taken or dropped at once.
func (q *LogQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.lines) >= maxQueuedLines || q.bytes+len(line) > maxQueuedBytes {
		q.drop()
		return len(line), nil
	}
	q.lines = append(q.lines, append([]byte(nil), line...))
	q.bytes += len(line)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// drop counts a line; q.mu is held.
func (q *LogQueue) drop() {
	q.lost++
	q.dropped.Add(1)
}

// Close writes what is queued, for as long as the timeout, and takes no more.
func (q *LogQueue) Close(timeout time.Duration) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.wake)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(timeout):
	}
}

func (q *LogQueue) drain() {
	defer close(q.done)
	for range q.wake {
		q.flush()
	}
	q.flush()
}

// flush writes line by line, so that there is room again for each one written.
func (q *LogQueue) flush() {
	for {
		q.mu.Lock()
		if len(q.lines) == 0 {
			q.lines = nil
			q.mu.Unlock()
			return
		}
		line := q.lines[0]
		q.lines[0] = nil
		q.lines = q.lines[1:]
		q.bytes -= len(line)
		q.mu.Unlock()
		if _, err := q.out.Write(line); err != nil {
			q.mu.Lock()
			q.drop()
			q.mu.Unlock()
			continue
		}
		q.confess()
	}
}

// confess says how many lines were lost, now that the output takes lines.
func (q *LogQueue) confess() {
	q.mu.Lock()
	lost := q.lost
	q.lost = 0
	q.mu.Unlock()
	if lost > 0 {
		slog.New(q.handler(q.out)).Warn("log lines were dropped since the output did not take them", "lines", lost)
	}
}
