// lake [-latency-ms N] [-seconds N] [-certificate FILE]: what runs to S3 meet, on free ports of the loopback, in one process.
//
// It prints "api=URL s3=URL control=URL function=URL", with a certificate "s3tls=URL apitls=URL" too, and ends when its
// standard input closes, or by itself. function= is Lambda's runtime API (function.go). The API answers /now?id=N as the server of the other measurements does. The S3 checks every signature, date, payload hash and checksum,
// knows conditional writes and multipart uploads, and refuses what is not right. In the bucket "bulk" nothing is kept and
// nobody need sign: what is sent there is read and thrown away, and its length counted. In "bulk-checked" nothing is kept
// either, but all is checked, and the checksum of every part remembered. The control port tells what there is (/state) and
// forgets it (/reset).
package main

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const pieceBytes = 1 << 20

// One reply as weather APIs send them; the id makes temperature and time differ.
const reply = `{"coord":{"lon":-87.65,"lat":41.85},"weather":[{"id":803,"main":"Clouds","description":"broken clouds","icon":"04d"}],` +
	`"base":"stations","main":{"temp":12.%[1]s,"feels_like":11.2,"temp_min":10.1,"temp_max":14.9,"pressure":1014,` +
	`"humidity":69},"visibility":10000,"wind":{"speed":4.1,"deg":250},"clouds":{"all":75},"dt":135%[1]s,` +
	`"sys":{"type":2,"id":2075214,"country":"US","sunrise":1349092000,"sunset":1349134000},"timezone":-18000,` +
	`"id":4887398,"name":"Chicago","cod":200}`

type object struct {
	body     []byte
	kind     string
	etag     string
	modified time.Time
}

type part struct {
	Bytes int64  `json:"bytes"`
	CRC   uint32 `json:"crc"`
}

type upload struct {
	path  string
	parts map[int]part
}

// bulk is what is remembered of an object that is thrown away.
type bulk struct {
	Bytes    int64  `json:"bytes"`
	Checksum string `json:"checksum"` // of the whole, as the client told it
	Parts    []part `json:"parts"`
}

type world struct {
	latency time.Duration
	mu      sync.Mutex
	objects map[string]object
	uploads map[string]*upload
	bulk    map[string]bulk
	refused []string
	asked   []string
	counter int
	pieces  sync.Pool
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects, w.uploads, w.bulk = map[string]object{}, map[string]*upload{}, map[string]bulk{}
	w.refused, w.asked = []string{}, []string{}
}

func (w *world) api(rw http.ResponseWriter, r *http.Request) {
	time.Sleep(w.latency)
	id := r.URL.Query().Get("id")
	if _, err := strconv.Atoi(id); err != nil || r.URL.Path != "/now" {
		http.NotFound(rw, r)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(rw, reply, id)
}

// ---- S3 ----

type refusal struct {
	status        int
	code, message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, format string, args ...any) error {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

func (w *world) s3(rw http.ResponseWriter, r *http.Request) {
	time.Sleep(w.latency)
	w.mu.Lock()
	w.asked = append(w.asked, r.Method+" "+r.RequestURI)
	w.mu.Unlock()
	rw.Header().Set("x-amz-request-id", "BENCH")
	err := w.answer(rw, r)
	if err == nil {
		return
	}
	no, known := err.(*refusal)
	if !known {
		no = &refusal{500, "InternalError", err.Error()}
	}
	if no.status == 400 || no.status == 403 || no.status >= 500 {
		w.mu.Lock()
		w.refused = append(w.refused, fmt.Sprintf("%s %s: %s: %s", r.Method, r.RequestURI, no.code, no.message))
		w.mu.Unlock()
	}
	rw.Header().Set("Content-Type", "application/xml")
	rw.WriteHeader(no.status)
	if r.Method != "HEAD" {
		fmt.Fprint(rw, xml.Header, "<Error><Code>", no.code, "</Code><Message>")
		xml.EscapeText(rw, []byte(no.message))
		fmt.Fprint(rw, "</Message></Error>")
	}
}

func (w *world) answer(rw http.ResponseWriter, r *http.Request) error {
	path := strings.TrimPrefix(r.URL.Path, "/")
	query := r.URL.Query()
	slash := strings.IndexByte(path, '/')
	if slash <= 0 {
		return refuse(501, "NotImplemented", "%s of a bucket", r.Method)
	}
	bucket := path[:slash]
	if bucket != "bulk" {
		if err := checkSignature(r); err != nil {
			return err
		}
	}
	_, begins := query["uploads"]
	id, number := query.Get("uploadId"), query.Get("partNumber")
	switch {
	case r.Method == "POST" && begins:
		return w.beginUpload(rw, path)
	case r.Method == "PUT" && id != "":
		return w.putPart(rw, r, bucket, id, number)
	case r.Method == "POST" && id != "":
		return w.completeUpload(rw, r, path, id)
	case r.Method == "PUT" && bucket == "bulk":
		n, err := w.throwAway(r.Body, nil)
		w.mu.Lock()
		w.bulk[path] = bulk{Bytes: n}
		w.mu.Unlock()
		rw.Header().Set("ETag", `"bulk"`)
		return err
	case r.Method == "PUT":
		return w.put(rw, r, path)
	case r.Method == "GET", r.Method == "HEAD":
		return w.get(rw, r, path)
	case r.Method == "DELETE":
		w.mu.Lock()
		delete(w.objects, path)
		delete(w.uploads, id)
		w.mu.Unlock()
		rw.WriteHeader(204)
		return nil
	}
	return refuse(501, "NotImplemented", "%s", r.Method)
}

func (w *world) put(rw http.ResponseWriter, r *http.Request, path string) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return err
	}
	if body, err = checkBody(r.Header, body); err != nil {
		return err
	}
	sum := md5.Sum(body)
	o := object{body, r.Header.Get("Content-Type"), `"` + hex.EncodeToString(sum[:]) + `"`, time.Now().UTC()}
	w.mu.Lock()
	defer w.mu.Unlock()
	old, exists := w.objects[path]
	if r.Header.Get("If-None-Match") == "*" && exists {
		return refuse(412, "PreconditionFailed", "If-None-Match")
	}
	if m := r.Header.Get("If-Match"); m != "" && (!exists || m != old.etag) {
		return refuse(412, "PreconditionFailed", "If-Match")
	}
	w.objects[path] = o
	rw.Header().Set("ETag", o.etag)
	return nil
}

func (w *world) get(rw http.ResponseWriter, r *http.Request, path string) error {
	w.mu.Lock()
	o, exists := w.objects[path]
	w.mu.Unlock()
	if !exists {
		return refuse(404, "NoSuchKey", "The specified key does not exist.")
	}
	rw.Header().Set("ETag", o.etag)
	rw.Header().Set("Content-Type", o.kind)
	rw.Header().Set("Content-Length", strconv.Itoa(len(o.body)))
	rw.Header().Set("Last-Modified", o.modified.Format(http.TimeFormat))
	if r.Method == "GET" {
		rw.Write(o.body)
	}
	return nil
}

// throwAway reads to the end, through a piece of memory that is used again and again.
func (w *world) throwAway(from io.Reader, also io.Writer) (n int64, err error) {
	piece := w.pieces.Get().(*[]byte)
	defer w.pieces.Put(piece)
	for {
		k, err := from.Read(*piece)
		n += int64(k)
		if also != nil {
			also.Write((*piece)[:k])
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// ---- multipart ----

func (w *world) beginUpload(rw http.ResponseWriter, path string) error {
	w.mu.Lock()
	w.counter++
	id := fmt.Sprintf("upload-%d", w.counter)
	w.uploads[id] = &upload{path, map[int]part{}}
	w.mu.Unlock()
	fmt.Fprint(rw, xml.Header, "<InitiateMultipartUploadResult><UploadId>", id, "</UploadId></InitiateMultipartUploadResult>")
	return nil
}

func (w *world) putPart(rw http.ResponseWriter, r *http.Request, bucket, id, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 10000 {
		return refuse(400, "InvalidArgument", "part number %q", number)
	}
	var p part
	if bucket == "bulk" {
		p.Bytes, err = w.throwAway(r.Body, nil)
	} else {
		var digest, sum = sha256.New(), crc32.NewIEEE()
		if p.Bytes, err = w.throwAway(r.Body, io.MultiWriter(digest, sum)); err == nil {
			err = checkHashes(r.Header, digest, sum)
		}
		p.CRC = sum.Sum32()
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.uploads[id]
	if u == nil {
		return refuse(404, "NoSuchUpload", "%s", id)
	}
	u.parts[n] = p
	rw.Header().Set("ETag", etagOf(n))
	return nil
}

func etagOf(part int) string { return fmt.Sprintf(`"part-%d"`, part) }

func (w *world) completeUpload(rw http.ResponseWriter, r *http.Request, path, id string) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return err
	}
	var told struct {
		Part []struct {
			ETag          string
			PartNumber    int
			ChecksumCRC32 string
		}
	}
	if err := xml.Unmarshal(body, &told); err != nil {
		return refuse(400, "MalformedXML", "%s", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.uploads[id]
	if u == nil || u.path != path {
		return refuse(404, "NoSuchUpload", "%s", id)
	}
	whole := bulk{Checksum: r.Header.Get("X-Amz-Checksum-Crc32")}
	for i, it := range told.Part {
		p, known := u.parts[it.PartNumber]
		if !known || it.PartNumber != i+1 || it.ETag != etagOf(it.PartNumber) {
			return refuse(400, "InvalidPart", "part %d", it.PartNumber)
		}
		if p.Bytes < 5<<20 && i+1 < len(told.Part) {
			return refuse(400, "EntityTooSmall", "part %d", it.PartNumber)
		}
		if !strings.HasPrefix(path, "bulk/") && it.ChecksumCRC32 != checksum(p.CRC) {
			return refuse(400, "InvalidPart", "checksum of part %d", it.PartNumber)
		}
		whole.Bytes += p.Bytes
		whole.Parts = append(whole.Parts, p)
	}
	if len(whole.Parts) == 0 || len(whole.Parts) != len(u.parts) {
		return refuse(400, "InvalidPart", "%d parts of %d", len(whole.Parts), len(u.parts))
	}
	delete(w.uploads, id)
	w.bulk[path] = whole
	fmt.Fprint(rw, xml.Header, "<CompleteMultipartUploadResult><ETag>&quot;whole&quot;</ETag></CompleteMultipartUploadResult>")
	return nil
}

// ---- what a body is checked by ----

func checkHashes(h http.Header, digest hash.Hash, sum hash.Hash32) error {
	payload := h.Get("X-Amz-Content-Sha256")
	if payload != "UNSIGNED-PAYLOAD" && payload != hex.EncodeToString(digest.Sum(nil)) {
		return refuse(400, "XAmzContentSHA256Mismatch", "%q", payload)
	}
	if want := h.Get("X-Amz-Checksum-Crc32"); want != "" && want != checksum(sum.Sum32()) {
		return refuse(400, "BadDigest", "x-amz-checksum-crc32 %q", want)
	}
	return nil
}

// checkBody returns the object's bytes when they are those that were signed.
func checkBody(h http.Header, body []byte) ([]byte, error) {
	if h.Get("X-Amz-Content-Sha256") == "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
		return dechunk(body)
	}
	digest, sum := sha256.New(), crc32.NewIEEE()
	digest.Write(body)
	sum.Write(body)
	return body, checkHashes(h, digest, sum)
}

// dechunk undoes aws-chunked with an unsigned trailer.
func dechunk(body []byte) ([]byte, error) {
	in := bufio.NewReader(bytes.NewReader(body))
	var out []byte
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, refuse(400, "IncompleteBody", "aws-chunked")
		}
		n, err := strconv.ParseUint(strings.TrimSpace(line), 16, 24)
		if err != nil {
			return nil, refuse(400, "IncompleteBody", "aws-chunked: %s", err)
		}
		if n == 0 {
			break
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, refuse(400, "IncompleteBody", "aws-chunked")
		}
		out = append(out, chunk[:n]...)
	}
	for {
		line, err := in.ReadString('\n')
		name, value := cut(strings.TrimSpace(line), ":")
		if strings.EqualFold(name, "x-amz-checksum-crc32") && value != checksum(crc32.ChecksumIEEE(out)) {
			return nil, refuse(400, "BadDigest", "trailer %q", line)
		}
		if err != nil || name == "" {
			return out, nil
		}
	}
}

// ---- control ----

func (w *world) control(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/reset" {
		w.forget()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	objects := map[string]string{}
	for path, o := range w.objects {
		objects[path] = string(o.body)
	}
	sort.Strings(w.refused)
	json.NewEncoder(rw).Encode(map[string]any{"objects": objects, "bulk": w.bulk, "refused": w.refused, "asked": w.asked,
		"uploads": len(w.uploads)})
}

func serve(handler http.HandlerFunc, secure *tls.Config) string {
	scheme := "http"
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	address := listener.Addr().String()
	if secure != nil {
		scheme, listener = "https", tls.NewListener(listener, secure)
	}
	go (&http.Server{Handler: handler, ReadTimeout: 5 * time.Minute, WriteTimeout: 5 * time.Minute}).Serve(listener)
	return scheme + "://" + address
}

func main() {
	latency := flag.Int("latency-ms", 0, "wait this long before each answer")
	seconds := flag.Int("seconds", 600, "end after this many")
	trust := flag.String("certificate", "", "a file for the certificate of the S3 over TLS; without it there is none")
	flag.Parse()
	w := &world{latency: time.Duration(*latency) * time.Millisecond}
	w.pieces.New = func() any { piece := make([]byte, pieceBytes); return &piece }
	w.forget()
	time.AfterFunc(time.Duration(*seconds)*time.Second, func() { os.Exit(1) })
	f := &function{}
	fmt.Printf("api=%s s3=%s control=%s function=%s",
		serve(f.counted(w.api), nil), serve(f.counted(w.s3), nil), serve(w.control, nil), serve(f.answer, nil))
	if *trust != "" {
		secure, err := certificate(*trust)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf(" s3tls=%s apitls=%s", serve(w.s3, secure), serve(w.api, secure))
	}
	fmt.Println()
	io.Copy(io.Discard, os.Stdin)
}
