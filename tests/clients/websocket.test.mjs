import { deliveryCases } from './support/delivery_cases.mjs';

deliveryCases('WebSocket of ws');
