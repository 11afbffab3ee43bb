package handletest

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheHandleKeepsItsContract(t *testing.T) { Test(t, Handle()) }
