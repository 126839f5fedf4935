package jaegerapi

import "io"

// indenter indents the valid, compact JSON written to it by four spaces a
// level, as json.MarshalIndent does.
type indenter struct {
	w        io.Writer
	buf      []byte
	depth    int
	inString bool
	escaped  bool // the last byte was the backslash of a string
	opened   bool // the last byte opened a list or an object
}

func (n *indenter) Write(p []byte) (int, error) {
	n.buf = n.buf[:0]
	for _, c := range p {
		n.add(c)
	}
	if _, err := n.w.Write(n.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (n *indenter) add(c byte) {
	if n.inString {
		n.buf = append(n.buf, c)
		n.inString = c != '"' || n.escaped
		n.escaped = c == '\\' && !n.escaped
		return
	}
	switch c {
	case '}', ']':
		n.depth--
		if !n.opened {
			n.newline()
		}
		n.opened = false
		n.buf = append(n.buf, c)
		return
	}
	if n.opened {
		n.newline()
		n.opened = false
	}
	n.buf = append(n.buf, c)
	switch c {
	case '{', '[':
		n.depth++
		n.opened = true
	case ',':
		n.newline()
	case ':':
		n.buf = append(n.buf, ' ')
	case '"':
		n.inString = true
	}
}

func (n *indenter) newline() {
	n.buf = append(n.buf, '\n')
	for range n.depth {
		n.buf = append(n.buf, "    "...)
	}
}
