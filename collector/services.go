package collector

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// The labels of services follow Jaeger's rules, so that its dashboards work.
const (
	maxServices    = 4000
	maxServiceName = 128 // bytes of a label
	unknownService = "__unknown"
	otherServices  = "other-services"
)

// services maps the names of services, as sent, to what is counted for them.
type services struct {
	mu      sync.RWMutex        // guards the maps
	byName  map[string]*service // at most 2*maxServices short names
	byLabel map[string]*service // at most maxServices and the two of our own
}

// service is what is counted for the services of one label.
type service struct {
	label  string
	mu     sync.Mutex // guards usual
	usuals [numFormats]*usual
}

// usual are the counters that an ordinary batch adds to: not debug, stored.
type usual struct {
	received, accepted         prometheus.Counter
	jaegerReceived, jaegerKept prometheus.Counter
	tracesReceived, tracesKept prometheus.Counter
}

// of finds or makes the service. The name may alias memory that will change.
func (s *services) of(name string) *service {
	s.mu.RLock()
	svc := s.byName[name]
	s.mu.RUnlock()
	if svc != nil {
		return svc
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	label := serviceLabel(name)
	if svc = s.byLabel[label]; svc == nil {
		if len(s.byLabel) >= maxServices && label != unknownService {
			label = otherServices
		}
		if svc = s.byLabel[label]; svc == nil {
			if s.byLabel == nil {
				s.byName, s.byLabel = make(map[string]*service), make(map[string]*service)
			}
			svc = &service{label: label}
			s.byLabel[label] = svc
		}
	}
	if len(name) <= maxServiceName && len(s.byName) < 2*maxServices {
		s.byName[strings.Clone(name)] = svc
	}
	return svc
}

// serviceLabel is the name in lower case, with _ for all but letters, digits,
// dots and dashes, cut where it is very long. It shares no memory with name.
func serviceLabel(name string) string {
	if name == "" {
		return unknownService
	}
	b := []byte(name[:min(len(name), maxServiceName)])
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-':
		case 'A' <= c && c <= 'Z':
			b[i] = c | 0x20
		default:
			b[i] = '_'
		}
	}
	return string(b)
}
