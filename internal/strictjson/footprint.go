package strictjson

import (
	"encoding/json"
	"math/bits"
)

// What Go's runtime takes for a value beside its text, in bytes.
const (
	interfaceSize = 16
	stringHeader  = 16
	sliceHeader   = 24
	mapHeader     = 48
	// A map keeps eight members in one group, and from there on groups of eight
	// in tables that are at most 7/8 full. Large tables are split in two as they
	// grow, unevenly, so that large maps are a little more than half full.
	groupSlots = 8
	groupSize  = 288
	tableSize  = 48

	largestTable = 896
)

// Footprint is about how many bytes of heap a value of [Parse] takes. It counts
// what each value takes and not the text it was read from: 16 KiB of
// [{},{},…] take more than 600 KiB.
func Footprint(v any) int {
	switch v := v.(type) {
	case string:
		if v == "" { // shared, as null, true and false are
			return 0
		}
		return stringHeader + allocated(len(v))
	case json.Number:
		return stringHeader + allocated(len(v))
	case []any:
		total := sliceHeader + allocated(cap(v)*interfaceSize)
		for _, e := range v {
			total += Footprint(e)
		}
		return total
	case map[string]any:
		total := mapHeader + groups(len(v))
		for name, e := range v {
			total += allocated(len(name)) + Footprint(e)
		}
		return total
	}
	return 0
}

// groups is what the members of a map take, without their texts.
func groups(members int) int {
	switch {
	case members == 0:
		return 0
	case members <= groupSlots:
		return groupSize
	}
	if members > largestTable {
		return members * 9 / 5 / groupSlots * groupSize
	}
	slots := 1 << bits.Len(uint(members*8/7-1))
	return tableSize + slots/groupSlots*groupSize
}

// allocated is the size of the block that Go's allocator gives for n bytes, at
// most about an eighth too large.
func allocated(n int) int {
	switch {
	case n == 0:
		return 0
	case n <= 8:
		return 8
	case n <= 1024:
		return (n + 15) &^ 15
	}
	step := 1 << (bits.Len(uint(n-1)) - 4)
	return (n + step - 1) &^ (step - 1)
}
