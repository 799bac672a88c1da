import { deliveryCases } from './support/delivery_cases.mjs';

deliveryCases('EventSource of eventsource');
deliveryCases('event stream of fetch');
