export { decodePfx, encodeAuthenticatedSafe, encodePfx, type Pfx, type Pkcs12Content, type Pkcs12Mac } from './pfx.ts';
export { decodeSafeContents, encodeSafeContents, type SafeBag, toBmp } from './safe-contents.ts';
