package a6

import (
	"github.com/api7/ext-plugin-proto/go/A6"
	flatbuffers "github.com/google/flatbuffers/go"
)

// Entry is a header, an argument or one plugin's configuration. In an answer
// an entry without a value deletes.
type Entry struct {
	Name, Value string
	HasValue    bool
}

func newBuilder() *flatbuffers.Builder { return flatbuffers.NewBuilder(1024) }

func finish(b *flatbuffers.Builder, table flatbuffers.UOffsetT) []byte {
	b.Finish(table)
	return b.FinishedBytes()
}

// entryVector writes the entries, or nothing (0) where there are none.
func entryVector(b *flatbuffers.Builder, entries []Entry) flatbuffers.UOffsetT {
	if len(entries) == 0 {
		return 0
	}
	return vectorOf(b, entries, make([]flatbuffers.UOffsetT, len(entries)))
}

// vectorOf is entryVector with the memory for the rows given.
func vectorOf(b *flatbuffers.Builder, entries []Entry, rows []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	for i, entry := range entries {
		name := b.CreateString(entry.Name)
		var value flatbuffers.UOffsetT
		if entry.HasValue {
			value = b.CreateString(entry.Value)
		}
		A6.TextEntryStart(b)
		A6.TextEntryAddName(b, name)
		if entry.HasValue {
			A6.TextEntryAddValue(b, value)
		}
		rows[i] = A6.TextEntryEnd(b)
	}
	return b.CreateVectorOfTables(rows)
}
