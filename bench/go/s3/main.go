// s3 API BUCKET KEY: asks API?id=0000001 to 5 at once, takes four fields out of each reply, converts, and puts the rows as
// one CSV object with AWS's SDK, which finds keys, region and endpoint in the environment.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const items = 5

type reply struct {
	Main struct {
		Temp     float64 `json:"temp"`
		Humidity int64   `json:"humidity"`
	} `json:"main"`
	Weather []struct {
		Description string `json:"description"`
	} `json:"weather"`
	Dt int64 `json:"dt"`
}

func ask(address string, id int) ([]string, error) {
	response, err := http.Get(fmt.Sprintf("%s?id=%07d", address, id))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%d: %s", id, response.Status)
	}
	var r reply
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return nil, err
	}
	if len(r.Weather) == 0 {
		return nil, fmt.Errorf("%d: no weather", id)
	}
	return []string{
		strconv.FormatFloat(r.Main.Temp*9/5+32, 'g', -1, 64),
		strconv.FormatInt(r.Main.Humidity, 10),
		r.Weather[0].Description,
		time.Unix(r.Dt, 0).UTC().Format(time.RFC3339),
	}, nil
}

func collect(address string) ([]byte, error) {
	var all sync.WaitGroup
	rows, failed := make([][]string, items), make([]error, items)
	for i := range rows {
		all.Add(1)
		go func() {
			defer all.Done()
			rows[i], failed[i] = ask(address, i+1)
		}()
	}
	all.Wait()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write([]string{"temperature", "humidity", "description", "observed_at"})
	for i, row := range rows {
		if failed[i] != nil {
			return nil, failed[i]
		}
		w.Write(row)
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: s3 API BUCKET KEY")
	}
	body, err := collect(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	client := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:      aws.String(os.Args[2]),
		Key:         aws.String(os.Args[3]),
		ContentType: aws.String("text/csv"),
		Body:        bytes.NewReader(body),
	}); err != nil {
		log.Fatal(err)
	}
}
