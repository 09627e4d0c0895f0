export { decodeIntelHex, encodeIntelHex, type HexSegment } from './intel-hex.ts';
