package broker

// Held is what the server holds for its connections, in bytes.
func (s *Server) Held() int64 { return s.memory.total.Load() }
