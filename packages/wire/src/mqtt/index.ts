/** MQTT 3.1.1 and 5: every packet, both directions, pure and strict. */
export { type AckName, type AckPacket, decodeAck, encodeAck } from './acknowledgement.ts';
export { type ConnackPacket, decodeConnack, encodeConnack } from './connack.ts';
export { type ConnectPacket, decodeConnect, encodeConnect, type UnsupportedProtocol, type Will } from './connect.ts';
export { decodeReasonPacket, encodeReasonPacket, PINGREQ, PINGRESP, type ReasonPacket } from './farewell.ts';
export { faultReason, framingLost, malformed, protocolError } from './faults.ts';
export { type FrameSink, FrameSplitter } from './frames.ts';
export { decodePacket, type MqttPacket } from './packet.ts';
export {
  MAX_VARINT,
  type MqttVersion,
  PACKET_TYPE,
  type PacketName,
  type Qos,
  requiredFlags,
} from './packet-types.ts';
export {
  decodeProperties,
  encodeProperties,
  type MqttProperties,
  NO_PROPERTIES,
  PROPERTY_ROWS,
  type UserProperty,
} from './properties.ts';
export {
  createPublishScan,
  decodePublish,
  decodeTopic,
  encodePublish,
  NO_PUBLISH_OPTIONS,
  type PublishOptions,
  type PublishPacket,
  type PublishParts,
  type PublishScan,
  publishSize,
  readPublishOptions,
  scanPublish,
  writePublish,
} from './publish.ts';
export { REASON, type ReasonName, RETURN_CODE, reasonName } from './reason-codes.ts';
export {
  decodeSuback,
  decodeSubscribe,
  decodeUnsubscribe,
  encodeSuback,
  encodeSubscribe,
  encodeUnsubscribe,
  type RetainHandling,
  type SubackPacket,
  type SubscribeEntry,
  type SubscribePacket,
  type SubscriptionRequest,
  type UnsubscribePacket,
} from './subscribe.ts';
export { isName } from './text.ts';
export {
  isTopicName,
  type MatchRules,
  parseTopicFilter,
  STANDARD_MATCH,
  type TopicFilter,
  topicMatches,
} from './topics.ts';
