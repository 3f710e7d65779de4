package telemetry

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// fileClient writes spans to a file, a line of OTLP JSON per export (OTLP
// specification, "JSON File Format"): the form that the OpenTelemetry Collector
// and tracing back ends read.
type fileClient struct {
	mu     sync.Mutex
	file   *os.File
	buffer *bufio.Writer
}

func newFileClient(path string) (*fileClient, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create traces file: %w", err)
	}
	return &fileClient{file: f, buffer: bufio.NewWriter(f)}, nil
}

// Start does nothing: the file is open.
func (c *fileClient) Start(context.Context) error { return nil }

// Stop closes the file.
func (c *fileClient) Stop(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := errors.Join(c.buffer.Flush(), c.file.Close()); err != nil {
		return fmt.Errorf("close traces file: %w", err)
	}
	return nil
}

// UploadTraces writes one line.
func (c *fileClient) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	line, err := otlpJSON(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.buffer.Write(append(line, '\n'))
	if err := errors.Join(err, c.buffer.Flush()); err != nil {
		return fmt.Errorf("write traces file: %w", err)
	}
	return nil
}

// otlpJSON encodes the spans. OTLP JSON is protobuf's JSON with two exceptions:
// ids are hexadecimal and enumerations are numbers.
func otlpJSON(data *tracepb.TracesData) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(data)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	hexIDs(tree)
	return json.Marshal(tree)
}

func hexIDs(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			hexIDs(item)
		}
	case map[string]any:
		for name, value := range node {
			id, ok := value.(string)
			switch name {
			case "traceId", "spanId", "parentSpanId":
				if raw, err := base64.StdEncoding.DecodeString(id); ok && err == nil {
					node[name] = hex.EncodeToString(raw)
				}
			default:
				hexIDs(value)
			}
		}
	}
}
