"""paho-mqtt as a command of click_driver.py: connects as a device and says what it saw.

    exchange '{"version": 4 | 5, "host", "port", "ca", "certificate", "key", "client_id", "topic", "foreign"}'

prints {"echo": text, "retained": text, "foreign_subscription": reason, "other_id": reason}
"""

import json
import queue
import ssl

import paho.mqtt.client as mqtt

WAIT_S = 5


class Session:
    def __init__(self, order, client_id):
        self.messages = queue.Queue()
        self.granted = queue.Queue()
        self.connected = queue.Queue()
        version = mqtt.MQTTv5 if order["version"] == 5 else mqtt.MQTTv311
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version)
        self.client.tls_set(
            ca_certs=order["ca"], certfile=order["certificate"], keyfile=order["key"], tls_version=ssl.PROTOCOL_TLS_CLIENT
        )
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.connected.put(reason)
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_subscribe = lambda _c, _u, _m, reasons, _p: self.granted.put(reasons[0])
        self.client.connect(order["host"], order["port"])
        self.client.loop_start()
        self.reason = self.connected.get(timeout=WAIT_S)

    def subscribe(self, topic):
        self.client.subscribe(topic, qos=1)
        return self.granted.get(timeout=WAIT_S)

    def publish(self, topic, payload, retain=False):
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(timeout=WAIT_S)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def exchange(args):
    order = json.loads(args[0])
    seen = {}
    session = Session(order, order["client_id"])
    try:
        if session.reason.is_failure:
            raise RuntimeError(f"not connected: {session.reason}")
        session.subscribe(f"{order['topic']}/echo")
        session.publish(f"{order['topic']}/echo", "heard")
        seen["echo"] = session.messages.get(timeout=WAIT_S).payload.decode()
        session.publish(f"{order['topic']}/kept", "kept", retain=True)
        session.subscribe(f"{order['topic']}/kept")
        message = session.messages.get(timeout=WAIT_S)
        seen["retained"] = message.payload.decode() if message.retain else "without the flag"
        refused = session.subscribe(order["foreign"])
        seen["foreign_subscription"] = "refused" if refused.is_failure else str(refused)
    finally:
        session.close()
    other = Session(order, "somebody-else")
    seen["other_id"] = "refused" if other.reason.is_failure else str(other.reason)
    other.close()
    print(json.dumps(seen))
