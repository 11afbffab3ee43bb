package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// keptFile stands for the file with the commands that operators gave, from the files
// that were rotated away. No child, however often it fails or speaks, can fill it. It
// comes before all others: the number of none is lower.
const keptFile = 0

// keepCommands moves the commands of a file that will be deleted to the kept file. It
// may be repeated.
func (f *Facts) keepCommands(first uint64) error {
	commands, err := f.commandsIn(first)
	if err != nil || len(commands) == 0 {
		return err
	}
	path := filepath.Join(f.dir, factsName(keptFile))
	file, err := private.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	err = f.appendKept(file, commands)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("keep the commands of %s: %w", factsName(first), err)
	}
	return nil
}

// keptLine is a line with a command.
type keptLine struct {
	sequence uint64
	text     []byte
}

// changed reports whether a command had a part in what came after it. Those that were
// refused, or found everything as they wanted it, can be sent without end by whoever
// may send any: they would push the others out.
func (c *Command) changed() bool {
	return c.Result != machine.Rejected && c.Result != machine.Idempotent && c.Result != machine.AlreadyPending
}

// commandsIn are the lines of a file in which somebody gave a command that changed
// something.
func (f *Facts) commandsIn(first uint64) ([]keptLine, error) {
	file, err := private.Open(filepath.Join(f.dir, factsName(first)), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	var found []keptLine
	for lines := bufio.NewReaderSize(file, 256<<10); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if !bytes.Contains(line, []byte(`"command":{`)) { // within a text its quotes are escaped
			continue
		}
		var e Entry
		if json.Unmarshal(line, &e) == nil && e.Command != nil && fromOperator(e.RequestedBy) && e.Command.changed() {
			found = append(found, keptLine{e.Sequence, line})
		}
	}
}

// appendKept adds the lines that are not there yet. The oldest half goes when there
// are too many.
func (f *Facts) appendKept(file *os.File, commands []keptLine) error {
	next, size, err := endOf(file, 1)
	if err != nil {
		return err
	}
	var text []byte
	for _, c := range commands {
		if c.sequence >= next {
			text = append(text, c.text...)
		}
	}
	if size+int64(len(text)) > f.maxKept {
		return f.halveKept(file, size, text)
	}
	if err := file.Truncate(size); err != nil { // what was cut short by a kill
		return err
	}
	if _, err := file.WriteAt(text, size); err != nil {
		return err
	}
	return errors.Join(fdatasync(file), syncDir(f.dir))
}

// halveKept replaces the kept file by its newest half and more lines.
func (f *Facts) halveKept(file *os.File, size int64, more []byte) error {
	all := make([]byte, size, size+int64(len(more)))
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), all); err != nil {
		return err
	}
	all = append(all, more...)
	all = all[max(0, int64(len(all))-f.maxKept/2):]
	all = all[bytes.IndexByte(all, '\n')+1:]
	path := filepath.Join(f.dir, factsName(keptFile))
	next, err := private.Open(path+".next", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = next.Write(all)
	if err = errors.Join(err, fdatasync(next), next.Close()); err == nil {
		err = os.Rename(path+".next", path)
	}
	if err != nil {
		_ = os.Remove(path + ".next")
		return err
	}
	return syncDir(f.dir)
}
