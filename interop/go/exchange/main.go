// Command exchange connects as a device with eclipse/paho.golang (MQTT 5) and says what it saw.
//
//	exchange '{"address", "ca", "certificate", "key", "client_id", "topic", "foreign"}'
//
// prints {"echo": text, "retained": text, "foreign_subscription": reason, "other_id": reason}
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

type order struct {
	Address     string `json:"address"`
	CA          string `json:"ca"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	ClientID    string `json:"client_id"`
	Topic       string `json:"topic"`
	Foreign     string `json:"foreign"`
}

const wait = 5 * time.Second

func main() {
	var asked order
	if err := json.Unmarshal([]byte(os.Args[1]), &asked); err != nil {
		fail(err)
	}
	seen, err := exchange(asked)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func exchange(asked order) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*wait)
	defer cancel()
	client, heard, err := connect(ctx, asked, asked.ClientID)
	if err != nil {
		return nil, err
	}
	defer client.Disconnect(&paho.Disconnect{})
	seen := map[string]string{}

	if _, err := subscribe(ctx, client, asked.Topic+"/echo"); err != nil {
		return nil, err
	}
	if err := publish(ctx, client, asked.Topic+"/echo", "heard", false); err != nil {
		return nil, err
	}
	message, err := next(heard)
	if err != nil {
		return nil, err
	}
	seen["echo"] = string(message.Payload)

	if err := publish(ctx, client, asked.Topic+"/kept", "kept", true); err != nil {
		return nil, err
	}
	if _, err := subscribe(ctx, client, asked.Topic+"/kept"); err != nil {
		return nil, err
	}
	if message, err = next(heard); err != nil {
		return nil, err
	}
	seen["retained"] = string(message.Payload)
	if !message.Retain {
		seen["retained"] = "without the flag"
	}

	seen["foreign_subscription"] = "granted"
	if reason, err := subscribe(ctx, client, asked.Foreign); err != nil && reason == 0x87 {
		seen["foreign_subscription"] = "refused"
	}
	seen["other_id"] = "connected"
	if _, _, err := connect(ctx, asked, "somebody-else"); err != nil {
		seen["other_id"] = "refused"
	}
	return seen, nil
}

func connect(ctx context.Context, asked order, id string) (*paho.Client, chan *paho.Publish, error) {
	certificate, err := tls.LoadX509KeyPair(asked.Certificate, asked.Key)
	if err != nil {
		return nil, nil, err
	}
	pem, err := os.ReadFile(asked.CA)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{certificate}, ServerName: "localhost",
	}}
	socket, err := dialer.DialContext(ctx, "tcp", asked.Address)
	if err != nil {
		return nil, nil, err
	}
	heard := make(chan *paho.Publish, 10)
	client := paho.NewClient(paho.ClientConfig{
		Conn: socket,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(received paho.PublishReceived) (bool, error) {
				heard <- received.Packet
				return true, nil
			},
		},
	})
	if _, err := client.Connect(ctx, &paho.Connect{ClientID: id, CleanStart: true, KeepAlive: 30}); err != nil {
		return nil, nil, err
	}
	return client, heard, nil
}

func subscribe(ctx context.Context, client *paho.Client, topic string) (byte, error) {
	answer, err := client.Subscribe(ctx, &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}},
	})
	if answer == nil {
		return 0, err
	}
	return answer.Reasons[0], err
}

func publish(ctx context.Context, client *paho.Client, topic, text string, retain bool) error {
	_, err := client.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Retain: retain, Payload: []byte(text)})
	return err
}

func next(heard chan *paho.Publish) (*paho.Publish, error) {
	select {
	case message := <-heard:
		return message, nil
	case <-time.After(wait):
		return nil, fmt.Errorf("heard nothing for %v", wait)
	}
}
