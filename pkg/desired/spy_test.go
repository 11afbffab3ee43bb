package desired

import "path/filepath"

// spy is a disk that tells what is about to be done to which path ("open", "stat",
// "list", "readlink", "read"), which may forbid it, and who can say that things are
// not as they are.
type spy struct {
	disk
	before func(op, path string) error
	seem   func(path string, m *meta) // nil: all is as it is

	readOnly func(path string) bool // likewise
}

func (s *spy) Top() (handle, error) {
	h, err := s.disk.Top()
	return s.handle(h, "/", err)
}

func (s *spy) handle(h handle, path string, err error) (handle, error) {
	if err != nil {
		return nil, err
	}
	return &spyHandle{h, s, path}, nil
}

func (s *spy) tell(op, path string) error {
	if s.before == nil {
		return nil
	}
	return s.before(op, path)
}

func (s *spy) meta(path string, m meta, err error) (meta, error) {
	if err == nil && s.seem != nil {
		s.seem(path, &m)
	}
	return m, err
}

type spyHandle struct {
	handle
	spy  *spy
	path string
}

func (h *spyHandle) at(name string) string { return filepath.Join(h.path, name) }

func (h *spyHandle) Folder(name string) (handle, error) {
	if err := h.spy.tell("open", h.at(name)); err != nil {
		return nil, err
	}
	next, err := h.handle.Folder(name)
	return h.spy.handle(next, h.at(name), err)
}

func (h *spyHandle) Stat() (meta, error) {
	m, err := h.handle.Stat()
	return h.spy.meta(h.path, m, err)
}

func (h *spyHandle) Lstat(name string) (meta, error) {
	if err := h.spy.tell("stat", h.at(name)); err != nil {
		return meta{}, err
	}
	m, err := h.handle.Lstat(name)
	return h.spy.meta(h.at(name), m, err)
}

func (h *spyHandle) Readlink(name string) (string, error) {
	if err := h.spy.tell("readlink", h.at(name)); err != nil {
		return "", err
	}
	return h.handle.Readlink(name)
}

func (h *spyHandle) List() ([]dirEntry, error) {
	if err := h.spy.tell("list", h.path); err != nil {
		return nil, err
	}
	return h.handle.List()
}

func (h *spyHandle) Read(name string, limit int64, allow func(meta, func() bool) error) ([]byte, meta, error) {
	if err := h.spy.tell("read", h.at(name)); err != nil {
		return nil, meta{}, err
	}
	return h.handle.Read(name, limit, func(m meta, readOnly func() bool) error {
		m, _ = h.spy.meta(h.at(name), m, nil)
		if allow == nil {
			return nil
		}
		if h.spy.readOnly != nil {
			readOnly = func() bool { return h.spy.readOnly(h.at(name)) }
		}
		return allow(m, readOnly)
	})
}

func (h *spyHandle) ReadOnly() bool {
	if h.spy.readOnly != nil {
		return h.spy.readOnly(h.path)
	}
	return h.handle.ReadOnly()
}
