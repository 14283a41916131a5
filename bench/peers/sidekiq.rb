# Sidekiq, the form of adapter.py: `ruby sidekiq.rb JSON`, JSON lines on standard output, ended with standard input.
# push_bulk of a thousand; ten threads, its default, and no log line for each job.

require "json"
require "sidekiq"
require "sidekiq/cli" # a worker is a server to it, and its launcher needs that

CONFIG = JSON.parse(ARGV.fetch(0))
REPORTS = $stdout.dup
$stdout.reopen($stderr) # what a peer prints is no report
REPORTS.sync = true
CHUNK = 1000
THREADS = 10

Thread.new { $stdin.read; exit!(0) } # at once: nobody needs what still runs, and the bench empties the server

def report(said) = REPORTS.puts(JSON.generate(said))
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

class BenchJob
  include Sidekiq::Worker

  @seen = {}
  @runs = 0
  @lock = Mutex.new

  def self.ran(contact)
    @lock.synchronize do
      @first ||= now
      @runs += 1
      @seen[contact] = true
      report(jobs: @seen.size, runs: @runs, seconds: now - @first) if @seen.size == CONFIG["expected"]
    end
  end

  def perform(payload) = self.class.ran(payload["contact"])
end

def enqueue
  payloads = JSON.parse(File.read(CONFIG["payloads"]))
  warm, single = payloads.shift(CONFIG["warm"]), payloads.shift(CONFIG["single"])
  warm.each { |payload| BenchJob.perform_async(payload) }
  start = now
  single.each { |payload| BenchJob.perform_async(payload) }
  turn = now
  payloads.each_slice(CHUNK) do |chunk|
    Sidekiq::Client.push_bulk("class" => BenchJob, "args" => chunk.map { |payload| [payload] })
  end
  report(
    single: single.size, single_seconds: turn - start, jobs: payloads.size, seconds: now - turn,
    versions: { ruby: RUBY_VERSION, sidekiq: Sidekiq::VERSION, redis: Redis::VERSION },
    settings: "#{THREADS} threads, no log"
  )
  sleep
end

def work
  Sidekiq::Launcher.new(Sidekiq.options).run
  sleep
end

Redis.sadd_returns_boolean = false
Redis.silence_deprecations = true # its client would warn of a later version at each job
Sidekiq.logger.level = Logger::ERROR
Sidekiq.options.merge!(concurrency: THREADS, queues: ["default"])
Sidekiq.redis = { url: CONFIG["url"], size: THREADS + 5, network_timeout: 5 }
begin
  send(CONFIG["role"])
rescue StandardError => error
  abort("#{error.class}: #{error.message.lines.first}") # the bench shows the last line
end
