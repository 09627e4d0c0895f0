import { type ErrorDetails, HoldfastError } from '@holdfast/kernel';
import { REASON } from './reason-codes.ts';

/** A packet that cannot be parsed (MQTT 5, 4.13: reason 0x81). */
export function malformed(field: string, details: ErrorDetails = {}): HoldfastError {
  return new HoldfastError('communication.mqtt_malformed', { field, ...details });
}

/** A packet that parses but is not allowed here (MQTT 5, 4.13: reason 0x82). */
export function protocolError(field: string, details: ErrorDetails = {}): HoldfastError {
  return new HoldfastError('communication.mqtt_protocol_error', { field, ...details });
}

/** The byte stream itself cannot be followed any more: there is no packet to answer. */
export function framingLost(field: string, details: ErrorDetails = {}): HoldfastError {
  return new HoldfastError('communication.mqtt_framing', { field, ...details });
}

/**
 * The DISCONNECT reason that the standard names for a decoding error, or undefined when the connection is
 * closed without a word because the framing is lost.
 */
export function faultReason(error: HoldfastError): number | undefined {
  switch (error.code) {
    case 'communication.mqtt_framing':
      return undefined;
    case 'communication.mqtt_protocol_error':
      return REASON.protocolError;
    case 'communication.mqtt_too_large':
      return REASON.packetTooLarge;
    default:
      return REASON.malformedPacket;
  }
}
