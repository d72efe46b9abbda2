package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// members are those of a JSON object, in the order in which they stand there.
// Their values stay as they are written.
type members []member

type member struct {
	name  string
	value json.RawMessage
}

var errNoObject = errors.New("want an object")

func parseObject(data []byte) (members, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNoObject
	}
	m := members{}
	at := map[string]int{} // of the names so far
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // a member has a name
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if i, again := at[name]; again {
			m[i].value = value
			continue
		}
		at[name] = len(m)
		m = append(m, member{name, value})
	}
	_, err := d.Token()
	return m, err
}

func (m members) index(name string) int {
	return slices.IndexFunc(m, func(one member) bool { return one.name == name })
}

func (m members) has(name string) bool { return m.index(name) >= 0 }

// get is nil where there is no such member.
func (m members) get(name string) json.RawMessage {
	if i := m.index(name); i >= 0 {
		return m[i].value
	}
	return nil
}

// text is the text of a member, or a number as it is written; "" is neither.
func (m members) text(name string) string {
	var text string
	var number json.Number
	value := m.get(name)
	switch {
	case json.Unmarshal(value, &text) == nil:
		return text
	case json.Unmarshal(value, &number) == nil:
		return number.String()
	}
	return ""
}

func (m *members) put(name string, value json.RawMessage) {
	if i := m.index(name); i >= 0 {
		(*m)[i].value = value
		return
	}
	*m = append(*m, member{name, value})
}

// set puts any value that can be written.
func (m *members) set(name string, value any) { m.put(name, encode(value)) }

// MarshalJSON implements json.Marshaler.
func (m members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(one.name))
		b.WriteByte(':')
		b.Write(one.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode is the JSON of a value on one line, without the escapes that HTML
// would need.
func encode(value any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return json.RawMessage("null") // what was read can be written: it cannot
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
