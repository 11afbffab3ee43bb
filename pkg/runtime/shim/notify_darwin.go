package shim

import "errors"

// openNotify is not here: the kernel does not tell who sent a message.
func openNotify(string) (int, error) {
	return -1, errors.New("this system does not tell who sends a message, so none is heard")
}

func receive(int, []byte) (message []byte, sender int, close func(), ok bool) {
	return nil, 0, nil, false
}

func (s *server) owns(*attempt, int) bool { return false }
