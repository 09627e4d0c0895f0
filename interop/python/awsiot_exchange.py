"""awsiotsdk as a command of click_driver.py: connects as a device over MQTT 5 and says what it saw.

    exchange '{"host", "port", "ca", "certificate", "key", "client_id", "topic", "foreign"}'

prints {"echo": text, "foreign_subscription": reason}
"""

import json
import queue

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

WAIT_S = 10


def exchange(args):
    order = json.loads(args[0])
    ready, heard, failed = queue.Queue(), queue.Queue(), queue.Queue()
    client = mqtt5_client_builder.mtls_from_path(
        endpoint=order["host"],
        port=order["port"],
        ca_filepath=order["ca"],
        cert_filepath=order["certificate"],
        pri_key_filepath=order["key"],
        client_id=order["client_id"],
        on_lifecycle_connection_success=ready.put,
        on_lifecycle_connection_failure=lambda event: failed.put(event),
        on_publish_received=lambda event: heard.put(event.publish_packet),
    )
    client.start()
    try:
        ready.get(timeout=WAIT_S)
        seen = {}
        subscribe(client, f"{order['topic']}/echo")
        message = mqtt5.PublishPacket(topic=f"{order['topic']}/echo", payload=b"heard", qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.publish(message).result(WAIT_S)
        seen["echo"] = heard.get(timeout=WAIT_S).payload.decode()
        reason = subscribe(client, order["foreign"])
        seen["foreign_subscription"] = "refused" if reason == mqtt5.SubackReasonCode.NOT_AUTHORIZED else str(reason)
        print(json.dumps(seen))
    except queue.Empty:
        raise RuntimeError(failed.get_nowait().exception if not failed.empty() else "heard nothing")
    finally:
        client.stop()


def subscribe(client, topic):
    asked = mqtt5.SubscribePacket([mqtt5.Subscription(topic, mqtt5.QoS.AT_LEAST_ONCE)])
    return client.subscribe(asked).result(WAIT_S).reason_codes[0]
