package desired

import (
	"context"
	"os"
	"sync"
	clock "time"
)

func decode(ctx context.Context, mu *sync.Mutex, f *os.File) {
	go f.Close()
	start := clock.Now()
	_ = clock.Since(start) + clock.Second
}
