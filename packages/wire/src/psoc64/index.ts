export { decodePsoc64Policy, type Psoc64Policy, type Psoc64Region, type Psoc64Slot } from './policy.ts';
export { decodeToken, encodeToken, encodeTokenInput, psoc64Jwk, type SignedToken, type TokenPayload } from './token.ts';
