import { decodeBase64 } from '@holdfast/kernel';

/** Requests made by OpenSSL 3.0.19 (`openssl req -new`) that our own encoder cannot or will not make. */
export const OPENSSL_REQUESTS = {
  /** A key on prime192v1. */
  p192: decodeBase64(
    'MIGmMF4CAQAwDDEKMAgGA1UEAwwBeDBJMBMGByqGSM49AgEGCCqGSM49AwEBAzIABLMvFV0tsDXgADBZDAP/GpAKcjq+KgS9pmAAscLDH4kvh3Zf+XWEHdwdM+jc00/836AAMAoGCCqGSM49BAMCAzgAMDUCGQCKdogdIp55iEWxC3sNa5ObM7X9Ihchn9MCGF1ho1Ze/Rd/FC/M+dpafXoyyBrrvfkGBg==',
  ),
  /** P-256 with its curve spelt out, `-param_enc explicit`. */
  explicitCurve: decodeBase64(
    'MIIBuzCCAWICAQAwDDEKMAgGA1UEAwwBeDCCAUswggEDBgcqhkjOPQIBMIH3AgEBMCwGByqGSM49AQECIQD/////AAAAAQAAAAAAAAAAAAAAAP///////////////zBbBCD/////AAAAAQAAAAAAAAAAAAAAAP///////////////AQgWsY12Ko6k+ez671VdpiGvGUdBrDMU7D2O848PifSYEsDFQDEnTYIhucEk2pmeOETnSa3gZ9+kARBBGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfUCIQD/////AAAAAP//////////vOb6racXnoTzucrC/GMlUQIBAQNCAASTEi+Gke0+xmQGtyZeJt5j1V8x33UEcFk97MGgyK+C3zN4FED2acq6p4bBDz7FJgbinYTC4PmUMBded5rO3FJ8oAAwCgYIKoZIzj0EAwIDRwAwRAIgHHFG+Ffui7BtKRn4zTEhOXzJLbTYAxEXJqYgyPWiQsICIHPhobR3PmwiGn9+Po7ptCZJaCrWp6oUoN6pcAoprTqH',
  ),
  /** Asks for basicConstraints CA:TRUE. */
  authority: decodeBase64(
    'MIHpMIGQAgEAMAwxCjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASTgydMj0rNMWMYjM53MwI4FYQU+4jpbRbhb++uxK+IVCrHiUoSlUgKhZxF16Jvx4GxNQj5xKemwsgrL4mZnwH0oCIwIAYJKoZIhvcNAQkOMRMwETAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCFY5EHXvlc7EQ9zOjAAZCKn+KR34Y/OBVnnnagd+YV+wIgclL9OvsVWcMf+4AJThkkJsnKwmnOHFYgVTW5JiPlU74=',
  ),
  /** Asks for keyUsage keyCertSign. */
  certSigner: decodeBase64(
    'MIHlMIGMAgEAMAwxCjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ26KI02t9n6na+RyDwWn71Uv8edGE77pyVQGtHJEEzlpz/kkksmi81uhEm22v5VmYh7UVpUfIJiF/6DTprd7nkoB4wHAYJKoZIhvcNAQkOMQ8wDTALBgNVHQ8EBAMCAgQwCgYIKoZIzj0EAwIDSAAwRQIgFoRUWCUGGFIUN06xfmIxjygaeeevcZwy9ifk5+RzKVgCIQCYoOLXHW7UyFptc/e9RR3uvIROXAcUQgEw3CW3SfNjVg==',
  ),
} as const;
