package journal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// A line of the records file is the CRC-32C of the record's JSON, in 8
// hexadecimal digits, a blank, the JSON and a newline, which JSON does not
// contain. "cut -c10-" makes it JSON lines.
const sumLength = 8

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli) // has an instruction on amd64 and arm64

	errDamaged = errors.New("damaged line")

	// Every record begins with its ID and whether the child is gone, so that the
	// newest line of each child is found without decoding them all. IDs have no
	// characters that JSON escapes.
	idPrefix   = []byte(`{"id":"`)
	gonePrefix = []byte(`","gone":true,`)
)

// appendLine adds the line of r to b.
func appendLine(b []byte, r machine.Record) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return b, fmt.Errorf("encode record of %s: %w", r.ID, err)
	}
	return seal(b, text), nil
}

// seal adds text to b as a line with its checksum.
func seal(b, text []byte) []byte {
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	b = append(b, text...)
	return append(b, '\n')
}

// checkLine returns the JSON of a line, without its newline, if its checksum is right.
func checkLine(line []byte) ([]byte, error) {
	if len(line) <= sumLength || line[sumLength] != ' ' {
		return nil, errDamaged
	}
	var sum [sumLength / 2]byte
	if _, err := hex.Decode(sum[:], line[:sumLength]); err != nil {
		return nil, errDamaged
	}
	text := line[sumLength+1:]
	want := crc32.Checksum(text, castagnoli)
	if !bytes.Equal(sum[:], []byte{byte(want >> 24), byte(want >> 16), byte(want >> 8), byte(want)}) {
		return nil, errDamaged
	}
	return text, nil
}

// outline is the beginning of a record's JSON.
func outline(text []byte) (id child.ID, gone bool, incarnation uint64, err error) {
	rest, ok := bytes.CutPrefix(text, idPrefix)
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 1 {
		return "", false, 0, errDamaged
	}
	id = child.ID(rest[:end])
	if !bytes.HasPrefix(rest[end:], gonePrefix) {
		return id, false, 0, nil
	}
	r, err := decode(text)
	return r.ID, true, r.Incarnation, err
}

func decode(text []byte) (machine.Record, error) {
	var r machine.Record
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%w: %v", errDamaged, err)
	}
	return r, nil
}
