import { deliveryCases } from './support/delivery_cases.mjs';

deliveryCases('long-poll of fetch');
deliveryCases('short-poll of fetch');
