package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// The pair that AWS publishes with its tests of signatures.
const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func cut(s, mark string) (string, string) {
	at := strings.Index(s, mark)
	if at < 0 {
		return s, ""
	}
	return s[:at], s[at+len(mark):]
}

func checksum(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func canonicalQuery(query string) (string, error) {
	if query == "" {
		return "", nil
	}
	var pairs []string
	for _, pair := range strings.Split(query, "&") {
		name, value := cut(pair, "=")
		n, err1 := url.PathUnescape(name)
		v, err2 := url.PathUnescape(value)
		if err1 != nil || err2 != nil {
			return "", refuse(400, "InvalidURI", "query %q", query)
		}
		pairs = append(pairs, escape(n)+"="+escape(v))
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "&"), nil
}

func canonicalHeaders(r *http.Request, signedHeaders string) (string, error) {
	names, signed := strings.Split(signedHeaders, ";"), map[string]bool{}
	var headers strings.Builder
	for i, name := range names {
		if i > 0 && names[i-1] >= name {
			return "", refuse(403, "SignatureDoesNotMatch", "signed headers are not sorted: %q", signedHeaders)
		}
		signed[name] = true
		values := append([]string{}, r.Header.Values(name)...)
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length":
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		case "transfer-encoding":
			values = r.TransferEncoding
		}
		for j := range values {
			values[j] = strings.Join(strings.Fields(values[j]), " ")
		}
		headers.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !signed[name] {
			return "", refuse(403, "SignatureDoesNotMatch", "%s is not signed", name)
		}
	}
	if !signed["host"] {
		return "", refuse(403, "SignatureDoesNotMatch", "host is not signed")
	}
	return headers.String(), nil
}

// checkSignature knows Signature Version 4 in the form of headers, for S3.
func checkSignature(r *http.Request) error {
	scheme, rest := cut(r.Header.Get("Authorization"), " ")
	if scheme != "AWS4-HMAC-SHA256" {
		return refuse(403, "AccessDenied", "no AWS4-HMAC-SHA256 Authorization header")
	}
	field := map[string]string{}
	for _, text := range strings.Split(rest, ",") {
		name, value := cut(strings.TrimSpace(text), "=")
		field[name] = value
	}
	scope := strings.Split(field["Credential"], "/")
	if len(scope) != 5 || scope[0] != accessKey || scope[3] != "s3" || scope[4] != "aws4_request" {
		return refuse(403, "InvalidAccessKeyId", "credential %q", field["Credential"])
	}
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	if age := time.Since(at); err != nil || stamp[:8] != scope[1] || age > 15*time.Minute || age < -15*time.Minute {
		return refuse(403, "RequestTimeTooSkewed", "x-amz-date %q, scope %q", stamp, scope[1])
	}
	path, query := cut(r.RequestURI, "?")
	if query, err = canonicalQuery(query); err != nil {
		return err
	}
	headers, err := canonicalHeaders(r, field["SignedHeaders"])
	if err != nil {
		return err
	}
	canonical := strings.Join([]string{r.Method, path, query, headers, field["SignedHeaders"], r.Header.Get("X-Amz-Content-Sha256")}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, strings.Join(scope[1:], "/"), hex.EncodeToString(digest[:])}, "\n")
	key := mac(mac(mac(mac([]byte("AWS4"+secretKey), scope[1]), scope[2]), scope[3]), scope[4])
	if hex.EncodeToString(mac(key, text)) != field["Signature"] {
		return refuse(403, "SignatureDoesNotMatch", "the canonical request was %q", canonical)
	}
	return nil
}
