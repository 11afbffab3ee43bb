package shim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// maxEntry is shorter than what file systems take (255), for ID, role and numbers.
const maxEntry = 160

// entryName is the name of an attempt's cgroup and of its FIFO, such as
// "payments:worker.7.3" or "payments:worker.7.3.pre_stop.1". An ID cannot hold a colon or a dot.
func entryName(key child.Key) string {
	id := strings.ReplaceAll(string(key.ID), "/", ":")
	if len(id) > maxEntry {
		sum := sha256.Sum256([]byte(id))
		id = id[:maxEntry-17] + "~" + hex.EncodeToString(sum[:8])
	}
	name := fmt.Sprintf("%s.%d.%d", id, key.Incarnation, key.Generation)
	if key.Role != child.Main {
		name += fmt.Sprintf(".%s.%d", key.Role, key.Run)
	}
	return name
}

// parseMark is the key that a process is marked with, if it is one of tag's.
func parseMark(mark, tag string) (child.Key, bool) {
	name, ok := strings.CutSuffix(mark, "@"+tag)
	if !ok {
		return child.Key{}, false
	}
	return child.ParseKey(name)
}

// tagLength is how many digits of longTagOf stand in marks and in names of cgroups.
const tagLength = 8

// tagOf is the tag of a state directory.
func tagOf(stateDir string) (string, error) {
	tag, err := longTagOf(stateDir)
	return tag[:min(len(tag), tagLength)], err
}

// longTagOf is 16 hexadecimal digits that stand for a state directory: its path and
// its inode, so that a directory that was deleted and made again is another one.
func longTagOf(stateDir string) (string, error) {
	fi, err := os.Stat(stateDir)
	if err != nil {
		return "", err
	}
	var inode uint64
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", stateDir, inode))
	return hex.EncodeToString(sum[:8]), nil
}

// socketName is the file in shimDir that a shim listens at.
const socketName = "sock"

// The paths of a shim's files.
func shimDir(stateDir string) string   { return filepath.Join(stateDir, "shim") }
func tablePath(stateDir string) string { return filepath.Join(shimDir(stateDir), "table") }
func fifoDir(stateDir string) string   { return filepath.Join(shimDir(stateDir), "fifo") }
func fifoPath(stateDir string, key child.Key) string {
	return filepath.Join(fifoDir(stateDir), entryName(key))
}

func logsDir(stateDir string) string { return filepath.Join(stateDir, "logs") }

// openLog opens the log of an ID.
func openLog(stateDir string, id child.ID, p logs.Policy) (*logs.Writer, error) {
	return logs.OpenWriter(logsDir(stateDir), string(id), p)
}
