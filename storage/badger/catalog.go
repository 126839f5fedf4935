package badger

import (
	"cmp"
	"slices"
	"sync"

	"github.com/spandrel/spandrel/storage"
)

// catalog knows the services and operations of all heads and partitions. A
// name lives as long as any of them has it.
type catalog struct {
	mu       sync.RWMutex
	owners   map[any]map[opKey]struct{}           // by *head or *partition
	services map[string]map[storage.Operation]int // how many owners have it
}

func newCatalog() *catalog {
	return &catalog{owners: make(map[any]map[opKey]struct{}), services: make(map[string]map[storage.Operation]int)}
}

// add notes that the owner has the operations.
func (c *catalog) add(owner any, ops []opKey) {
	if len(ops) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	has := c.owners[owner]
	if has == nil {
		has = make(map[opKey]struct{})
		c.owners[owner] = has
	}
	for _, k := range ops {
		if _, ok := has[k]; ok {
			continue
		}
		has[k] = struct{}{}
		operations := c.services[k.service]
		if operations == nil {
			operations = make(map[storage.Operation]int)
			c.services[k.service] = operations
		}
		operations[storage.Operation{Name: k.name, Kind: k.kind}]++
	}
}

// unknown picks the operations that the owner has not yet.
func (c *catalog) unknown(owner any, ops []opKey) []opKey {
	c.mu.RLock()
	defer c.mu.RUnlock()
	has := c.owners[owner]
	return slices.DeleteFunc(slices.Clone(ops), func(k opKey) bool { _, ok := has[k]; return ok })
}

// drop forgets the owner.
func (c *catalog) drop(owner any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.owners[owner] {
		operations, op := c.services[k.service], storage.Operation{Name: k.name, Kind: k.kind}
		if operations[op]--; operations[op] == 0 {
			delete(operations, op)
		}
		if len(operations) == 0 {
			delete(c.services, k.service)
		}
	}
	delete(c.owners, owner)
}

func (c *catalog) listServices() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	names := make([]string, 0, len(c.services))
	for name := range c.services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *catalog) listOperations(service string) []storage.Operation {
	c.mu.RLock()
	defer c.mu.RUnlock()
	operations := make([]storage.Operation, 0, len(c.services[service]))
	for op := range c.services[service] {
		operations = append(operations, op)
	}
	slices.SortFunc(operations, func(a, b storage.Operation) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return operations
}
