package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// invocation is one event: from when it was handed out to its answer, and how much of that the API and the S3 over plain
// http were busy with at least one request.
type invocation struct {
	Wall   float64 `json:"wall"`
	Waited float64 `json:"waited"`
	Failed string  `json:"failed"`
}

// function is Lambda's runtime API. POST /events takes a JSON array of events and forgets what was; they are handed out one
// by one, and then the function is told to end (410). GET /done tells the invocations.
type function struct {
	mu      sync.Mutex
	events  []json.RawMessage
	done    []invocation
	running int
	since   time.Time // when the first of those running came
	waited  time.Duration
	began   time.Time
	atBegin time.Duration
}

func (f *function) counted(handler http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		if f.running++; f.running == 1 {
			f.since = time.Now()
		}
		f.mu.Unlock()
		handler(rw, r)
		f.mu.Lock()
		if f.running--; f.running == 0 {
			f.waited += time.Since(f.since)
		}
		f.mu.Unlock()
	}
}

func (f *function) answer(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.URL.Path == "/events":
		f.events, f.done = nil, []invocation{}
		if err := json.Unmarshal(body, &f.events); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
		}
	case r.URL.Path == "/done":
		json.NewEncoder(rw).Encode(f.done)
	case strings.HasSuffix(r.URL.Path, "/invocation/next"):
		f.next(rw)
	default:
		it := invocation{Wall: time.Since(f.began).Seconds(), Waited: (f.waited - f.atBegin).Seconds()}
		if !strings.HasSuffix(r.URL.Path, "/response") {
			it.Failed = string(body)
		}
		f.done = append(f.done, it)
		rw.WriteHeader(http.StatusAccepted)
	}
}

func (f *function) next(rw http.ResponseWriter) {
	if len(f.events) == 0 {
		rw.WriteHeader(http.StatusGone)
		return
	}
	event := f.events[0]
	f.events = f.events[1:]
	f.began, f.atBegin = time.Now(), f.waited
	rw.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("8476a536-e9f4-11e8-9739-%012d", len(f.done)))
	rw.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(f.began.Add(time.Minute).UnixMilli()))
	rw.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-west-2:123456789012:function:bench")
	rw.Write(event)
}
