package runner

import (
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// framesPerRound is how many frames of one connection a loop answers before
	// it looks at the next. APISIX sends one and waits for its answer.
	framesPerRound = 16
	// eventsPerRound is how many ready connections a loop is told of at once.
	eventsPerRound = 128
)

// loops are the event loops of a server; they begin with its first listener.
type loops struct {
	wanted int
	all    []*loop
}

// loop is one goroutine that waits for many connections. A frame that can be
// answered without waiting is read, answered and written by it; everything else
// leaves it for a goroutine with its connection, and comes back.
type loop struct {
	server *Server
	epoll  int
	wakeup int        // an eventfd
	work   *workspace // of the exchange that the loop is in

	mu        sync.Mutex // of what follows, and of the descriptors' numbers
	slots     []*descriptor
	free      []int32
	listeners map[int32]*looped // by descriptor
	tasks     []func()          // for the loop to do
	closing   bool              // the grace of a shutdown is over
	ended     bool
}

// What an event is of. The slot is in EpollEvent.Fd.
const (
	ofConnection = iota
	ofListener
	ofWakeup
)

func newLoop(s *Server) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wakeup, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(err, unix.Close(epoll))
	}
	l := &loop{server: s, epoll: epoll, wakeup: wakeup, work: newWorkspace(), listeners: map[int32]*looped{}}
	if err := l.watch(wakeup, ofWakeup, 0, unix.EPOLLIN); err != nil {
		return nil, errors.Join(err, unix.Close(epoll), unix.Close(wakeup))
	}
	return l, nil
}

func (l *loop) watch(fd int, of, slot int32, events uint32) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: slot, Pad: of})
}

func (l *loop) unwatch(fd int) error { return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil) }

// run serves until the server drains and everybody is gone. After a round it
// looks once more without waiting, since what came meanwhile is cheaper to find
// so than to be woken for. The goroutine keeps no thread to itself: with one of
// its own it had to wait longer for a processor when the wait was over.
func (l *loop) run() {
	const atOnce, forEver = 0, -1
	var events [eventsPerRound]unix.EpollEvent
	patience := forEver
	for {
		n, err := unix.EpollWait(l.epoll, events[:], patience)
		if err != nil && err != unix.EINTR {
			panic("epoll_wait: " + err.Error()) // a closed descriptor: a mistake of ours
		}
		if n <= 0 {
			patience = forEver
			runtime.Gosched()
			continue
		}
		patience = atOnce
		for i := range n {
			l.handle(&events[i])
		}
		if l.server.draining.Load() && l.over() {
			return
		}
	}
}

func (l *loop) handle(e *unix.EpollEvent) {
	switch e.Pad {
	case ofConnection:
		l.ready(l.at(e.Fd))
	case ofListener:
		l.accept(e.Fd)
	case ofWakeup:
		l.doTasks()
	}
}

// at is the connection of a slot, if it is the loop's.
func (l *loop) at(slot int32) *descriptor {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.slots[slot]; d != nil && !d.away {
		return d
	}
	return nil
}

// post has the loop do something, unless it ended.
func (l *loop) post(task func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.tasks = append(l.tasks, task)
	l.wake()
}

// wake makes the loop look around; the caller has l.mu, and the loop runs.
func (l *loop) wake() {
	// It fails where it was woken 2^64-1 times already.
	_, _ = unix.Write(l.wakeup, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (l *loop) doTasks() {
	var count [8]byte
	// It fails where somebody else took the count: nobody does.
	_, _ = unix.Read(l.wakeup, count[:])
	l.mu.Lock()
	tasks := l.tasks
	l.tasks = nil
	closing := l.closing
	l.mu.Unlock()
	for _, task := range tasks {
		task()
	}
	if closing || l.server.handsOver() {
		l.partIdle()
	}
}

// drainLoops gives idle connections the grace of a shutdown, and so much more
// as those had who were on their way.
func (s *Server) drainLoops() {
	for _, l := range s.loops.all {
		l.post(func() {}) // it may have nobody left
		time.AfterFunc(acceptGrace+drainGrace, func() {
			l.post(func() {
				l.mu.Lock()
				l.closing = true
				l.mu.Unlock()
				l.partIdle()
			})
		})
	}
}

// partIdle ends the connections that are at rest. To hand them over may take
// its time, and is left to a goroutine.
func (l *loop) partIdle() {
	var idle []*descriptor
	l.mu.Lock()
	for _, d := range l.slots {
		if d != nil && !d.away {
			idle = append(idle, d)
		}
	}
	l.mu.Unlock()
	if l.server.handsOver() {
		for _, d := range idle {
			d.release()
		}
		l.server.served.Go(func() { l.partAll(idle) })
		return
	}
	l.partAll(idle)
}

func (l *loop) partAll(idle []*descriptor) {
	for _, d := range idle {
		l.server.part(d.conn)
	}
}

// over ends the loop where nobody is left.
func (l *loop) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.listeners) > 0 || len(l.slots) > len(l.free) {
		return false
	}
	l.ended = true
	_ = unix.Close(l.epoll)
	_ = unix.Close(l.wakeup)
	return true
}
